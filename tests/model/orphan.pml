/* What an agent finishes without the controller that began it: that one is gone, or this agent
 * serves another. The rules are runtime/agent/agent_orphan's; each is decided by the record and
 * what this node has, so that both nodes may be at it at once. */

#define GONE(n) (link_cut[n] || (!ACTIVE(0) && !ACTIVE(1)))
#define SERVED(e) ((ACTIVE(0) && opened[0] == (e)) || (ACTIVE(1) && opened[1] == (e)))
/* Requests under way end first, and the own view is read behind a barrier. */
#define ORPHAN_AT(n) \
  (UP(n) && (GONE(n) || !SERVED(EPOCH(store))) && work[2 * (n)] == IDLE && view[n] == store)
#define MOVING_FROM(n) (MOVING(store) && SOURCE(store) == (n))
#define MOVING_TO(n) (MOVING(store) && SOURCE(store) != (n))
#define AT_RECORD(n) (qemu_epoch[n] == EPOCH(store))
/* A copy of an epoch that is over waits in vain. */
#define ORPHAN_SUPERSEDED(n) \
  (ORPHAN_AT(n) && ((WAITS(n) && (qemu_epoch[n] < EPOCH(store) || \
                                  (AT_RECORD(n) && !MOVING(store)))) || \
                    (qemu[n] == POST && qemu_epoch[n] < EPOCH(store))))
/* The source, before the switchover: it stays. */
#define ORPHAN_CANCELS(n) (ORPHAN_AT(n) && MOVING_FROM(n) && qemu[n] == SENDING && AT_RECORD(n))
#define ORPHAN_SETTLES_SOURCE(n) \
  (ORPHAN_AT(n) && MOVING_FROM(n) && KEEPS_RUNNING(n, EPOCH(store)) && EPOCH(store) >= HIGHEST(n))
/* The source, after it: it tells that it never moves again, and goes once the target settled. */
#define ORPHAN_PUBLISHES(n) \
  (ORPHAN_AT(n) && MOVING_FROM(n) && qemu[n] == POST && AT_RECORD(n) && \
   OUTCOME(store) == UNPUBLISHED)
/* The target's word is proof enough to go on. */
#define ORPHAN_GOES_ON(n) \
  (ORPHAN_AT(n) && MOVING_FROM(n) && qemu[n] == POST && AT_RECORD(n) && \
   OUTCOME(store) == VOIDED && EPOCH(store) >= HIGHEST(n))
#define ORPHAN_RELEASES(n) \
  (ORPHAN_AT(n) && !MOVING(store) && SOURCE(store) == (n) && OUTCOME(store) == COMPLETED && \
   OWNER(store) != (n) && qemu[n] == POST && AT_RECORD(n) && EPOCH(store) >= HIGHEST(n))
/* The target: it runs what the source has left, and settles what runs. */
#ifdef MUTANT_ORPHAN_TRUSTS_RUN_MARK
#define HAS_RUN(n, e) (mark_run[n] == (e))
#define RESUMES_AGAIN(n, e) (mark_run[n] < (e))
#else
#define HAS_RUN(n, e) (mark_run[n] == (e) && RUNS(n))
#define RESUMES_AGAIN(n, e) true
#endif
#define ORPHAN_SETTLES_TARGET(n) \
  (ORPHAN_AT(n) && MOVING_TO(n) && AT_RECORD(n) && HAS_RUN(n, EPOCH(store)) && \
   EPOCH(store) >= HIGHEST(n))
#define ORPHAN_RESUMES(n) \
  (ORPHAN_AT(n) && MOVING_TO(n) && AT_RECORD(n) && qemu[n] == LOADED && \
   OUTCOME(store) == COMPLETED && EPOCH(store) >= HIGHEST(n) && mark_void[n] < EPOCH(store) && \
   RESUMES_AGAIN(n, EPOCH(store)) && (POLICY != ticket || mark_barrier[n] == EPOCH(store)))
/* A node that has rebooted has forgotten its marks, and may have let the VM run before. */
#ifdef MUTANT_FORGETFUL_PROOF
#define REMEMBERS(n, e) true
#elif defined(MUTANT_PROOF_WITHOUT_BOOT)
#define REMEMBERS(n, e) (mark_barrier[n] == (e))
#else
#define REMEMBERS(n, e) (mark_barrier[n] == (e) && boots[n] == streamed_to[OTHER(n)])
#endif
/* The target cannot run what the source has left, and proves that it has not. */
#define ORPHAN_VOIDS(n) \
  (ORPHAN_AT(n) && MOVING_TO(n) && OUTCOME(store) == COMPLETED && EPOCH(store) >= HIGHEST(n) && \
   mark_run[n] < EPOCH(store) && REMEMBERS(n, EPOCH(store)) && \
   (!AT_RECORD(n) || qemu[n] == NONE || mark_void[n] >= EPOCH(store)))
#define ORPHAN_WORK(n) \
  (ORPHAN_SUPERSEDED(n) || ORPHAN_CANCELS(n) || ORPHAN_SETTLES_SOURCE(n) || \
   ORPHAN_PUBLISHES(n) || ORPHAN_RELEASES(n) || ORPHAN_SETTLES_TARGET(n) || ORPHAN_RESUMES(n) || \
   ORPHAN_GOES_ON(n) || ORPHAN_VOIDS(n))
