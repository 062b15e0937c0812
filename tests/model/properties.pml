/* What must hold. Each property can be left out with -DWITHOUT_<name>, so that a policy that is
 * known to break one is searched for all others. Rule: a property reads ghosts and truth, never
 * what a process believes. */

/* Invariant 1: no copy is let run while the other runs, or after the other has run past it. */
#ifdef WITHOUT_one_runs
#define CHECK_one_runs(n) skip
#else
#define CHECK_one_runs(n) assert(latest[n] && !RUNS(OTHER(n)))
#endif

/* Invariant 3: a running or continuable copy exists, unless its node died with it. */
#ifdef WITHOUT_none_lost
#define CHECK_none_lost skip
#else
#define CHECK_none_lost assert(latest[0] || latest[1] || died_with_node)
#endif

/* Invariant 5: the source's copy goes only after the target ran and owns. */
#ifdef WITHOUT_source_kept
#define CHECK_source_kept(n) skip
#else
#define CHECK_source_kept(n) assert(!latest[n] && OWNER(store) != (n))
#endif

/* The target lets run on what it has seen itself: that it owns the VM, or the record of e. */
#ifdef WITHOUT_resumed_on_evidence
#define CHECK_resumed_on_evidence(n, e) skip
#else
#define CHECK_resumed_on_evidence(n, e) \
  assert(OWNER(view[n]) == (n) || (POLICY == ticket && EPOCH(view[n]) >= (e)))
#endif

/* Nobody becomes the owner while another node's vCPUs run, unless it is the one that runs. */
#ifdef WITHOUT_owner_follows
#define CHECK_owner_follows(to) skip
#else
#define CHECK_owner_follows(to) assert(RUNS(to) || !RUNS(OTHER(to)))
#endif

/* Without a fault every migration ends as moved or stayed. */
#ifdef WITHOUT_never_stuck
#define CHECK_never_stuck skip
#else
#define CHECK_never_stuck assert(faults > 0)
#endif

/* When nothing is left to happen: it runs on exactly one node, which owns it, and a lock that is
 * left is told by a record under way; or no copy runs, one is continuable, and the record under
 * way tells that an operator is needed; or its node died with it. */
#define RUNS_AT_OWNER \
  ((RUNS(0) && !RUNS(1) && OWNER(store) == 0) || (RUNS(1) && !RUNS(0) && OWNER(store) == 1))
#define TOLD_TO_OPERATOR MOVING(store)
#define VALID_END \
  (died_with_node || (RUNS_AT_OWNER && (!LOCKED(store) || MOVING(store))) || \
   (!RUNS(0) && !RUNS(1) && (latest[0] || latest[1]) && TOLD_TO_OPERATOR))
/* Without a fault nothing is left for anybody. */
#define CLEAN_END (RUNS_AT_OWNER && !LOCKED(store) && !MOVING(store))
/* With both nodes as they were, no operator is needed: agents alone end what was begun. */
#define HEALED_END ((RUNS_AT_OWNER && !LOCKED(store)) || boots[0] > 0 || boots[1] > 0)

#define NO_WORK (work[0] == IDLE && work[2] == IDLE && claims[0] == 0 && claims[1] == 0)
#define NO_STREAM \
  (qemu[0] != SENDING && qemu[0] != STOPPED && qemu[1] != SENDING && qemu[1] != STOPPED)
#define VIEWS_CAUGHT_UP ((!alive[0] || view[0] == store) && (!alive[1] || view[1] == store))
#define QUIET \
  (!ACTIVE(0) && !ACTIVE(1) && wire[0] == 0 && wire[1] == 0 && NO_WORK && NO_STREAM && \
   VIEWS_CAUGHT_UP && !ORPHAN_WORK(0) && !ORPHAN_WORK(1))
