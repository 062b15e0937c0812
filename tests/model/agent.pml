/* One node's agent: it takes commands from the wire, judges each as runtime/agent/ownership_guard
 * does, and carries it out in the steps that a crash or another command can come between. Without a
 * controller it ends what the record says, as runtime/agent/agent_orphan does. */

/* -- the guard --------------------------------------------------------------------------------- */
#ifdef MUTANT_STALE_EPOCH
#define FRESH(n, e) (true)
#define FRESH_IN_VIEW(n, e) (true)
#else
#define FRESH(n, e) ((e) >= HIGHEST(n))
#define FRESH_IN_VIEW(n, e) ((e) >= HIGHEST(n) && (e) >= EPOCH(view[n]))
#endif
#define NOT_VOID(n, e) (mark_void[n] < (e))
#define NOT_RUN(n, e) (mark_run[n] < (e))
#define LOADED_AT(n, e) \
  (qemu[n] != NONE && qemu_epoch[n] == (e) && (qemu[n] == LOADED || mark_run[n] == (e)))
#define POST_AT(n, e) (qemu[n] == POST && qemu_epoch[n] == (e))
#define RECORD_MOVING(n, e) (EPOCH(view[n]) == (e) && MOVING(view[n]) && SOURCE(view[n]) == (n))
#define MAY_RESUME(n, e) (FRESH(n, e) && NOT_VOID(n, e) && LOADED_AT(n, e))
#define OWNER_SEEN(n) (OWNER(view[n]) == (n))

/* -- slots: `k` is whose command it is --------------------------------------------------------- */
/* Whoever brings a command has brought its own agent, and there is one per node: what another
 * controller's or an orphan's agent was at stops where it is. */
#define OTHERS_WORK(k) \
  ((work[2 * n] != IDLE && work_for[2 * n] != (k)) || \
   (work[2 * n + 1] != IDLE && work_for[2 * n + 1] != (k)))
#define SLOT(k) (work[2 * n + 1] == IDLE || OTHERS_WORK(k))
#define IS_BEGINNING(w) ((w) >= B_RECORD && (w) <= R_BARRIER)
#define NOT_BUSY(k) \
  (OTHERS_WORK(k) || (!IS_BEGINNING(work[2 * n]) && !IS_BEGINNING(work[2 * n + 1])))
/* What others have left of the VM is finished first. */
#define SLOT_FOR_ONE(k) (SLOT(k) && NOT_BUSY(k) && !ORPHAN_WORK(n))
#define ALWAYS(k) true
#define AT_WORK(n, w) (work[2 * (n)] == (w) || work[2 * (n) + 1] == (w))
/* What is on its way into the store has to be known in or out before the other way is taken. */
#ifdef MUTANT_VOID_BESIDE_CLAIM
#define NO_CLAIM_UNDER_WAY(n) true
#else
#define NO_CLAIM_UNDER_WAY(n) (!AT_WORK(n, T_CLAIMING))
#endif
#ifdef MUTANT_CONTINUE_BESIDE_MOVE
#define NO_MOVE_UNDER_WAY(k) SLOT(k)
#define CONTINUE_FENCE(n, e) skip
#else
#define CONTINUE_FENCE(n, e) FENCE(n, e)
#define NO_MOVE_UNDER_WAY(k) (SLOT(k) && !AT_WORK(n, M_MOVE))
#endif

/* The source's own fence: after it nothing of e streams or moves from here, however late. */
#ifdef MUTANT_NO_SOURCE_FENCE
#define FENCE(n, e) skip
#else
#define FENCE(n, e) mark_void[n] = MAX(mark_void[n], e)
#endif
/* On one side of the switchover, never beside a stream. */
#define MOVABLE(n, e) \
  (FRESH(n, e) && NOT_VOID(n, e) && MOVES_AT_SOURCE && \
   (POLICY == early -> qemu[n] == RUNNING && qemu_epoch[n] != (e) : POST_AT(n, e)))
#ifdef MUTANT_QUIT_BEFORE_CLAIM
#define OWNER_IS_TARGET(n) true
#else
#define OWNER_IS_TARGET(n) (OWNER(view[n]) != (n))
#endif
#define OWNER_BEFORE_STREAM(n) (POLICY == early -> !OWNER_SEEN(n) : OWNER_SEEN(n))
#define KEEPS_RUNNING(n, e) \
  (RUNS(n) && !POST_AT(n, e) && \
   !(qemu_epoch[n] == (e) && (qemu[n] == SENDING || qemu[n] == STOPPED)))

/* -- one command: chosen, judged, and answered at once or begun -------------------------------- */
#define ARRIVES(k, m) (UP(n) && (wire[k] & (1 << (m))) && NODE_OF(k, m) == n)
#define TAKES(what, also) \
  :: ARRIVES(0, what) && also(0) -> k = 0; m = what \
  :: ARRIVES(1, what) && also(1) -> k = 1; m = what
#define E epoch[k]
#define NOTE_SEEN(e) mark_seen[n] = MAX(mark_seen[n], e)

inline consume() {
  printf("node %d gets command %d of controller %d, epoch %d\n", n, m, k, E);
  if
  :: OTHERS_WORK(k) -> drop_work(n)
  :: else
  fi;
  if
  :: wire[k] = wire[k] & (4095 - (1 << m))
  :: MAY_FAIL -> faults++ /* it will come again */
  fi;
  if
  :: ACTIVE(k) && link_cut[n] -> link_cut[n] = false
  :: else
  fi
}
/* Only the answer that is waited for counts. */
inline reply(who, what) {
  if
  :: what != NO_ANSWER && asked[who] == m && answer[who] == NO_ANSWER ->
     answer[who] = what;
     printf("node %d answers command %d: %d\n", n, m, what)
  :: else
  fi
}
inline begin_work(who) {
  if
  :: start != IDLE ->
     slot = 2 * n + (work[2 * n] == IDLE -> 0 : 1);
     work[slot] = start;
     work_epoch[slot] = ((who) == ORPHAN -> EPOCH(store) : (m == m_begin -> opened[k] : E));
     work_for[slot] = who
  :: else
  fi
}
inline forget() {
  k = 0;
  m = 0;
  say = 0;
  start = 0;
  slot = 0
}

inline on_begin() {
  if
  :: opened[k] != 0 && RECORD_MOVING(n, opened[k]) && LOCKED(view[n]) && OWNER_SEEN(n) -> say = YES
  :: else ->
     if
     :: !OWNER_SEEN(n) || LOCKED(view[n]) || !RUNS(n) ||
        MAX(HIGHEST(n), MAX(EPOCH(view[n]), qemu_epoch[n])) >= EPOCH_MAX ->
        say = REFUSED
     :: else ->
        opened[k] = MAX(HIGHEST(n), MAX(EPOCH(view[n]), qemu_epoch[n])) + 1;
        mark_seen[n] = opened[k];
        start = B_RECORD
     fi
  fi
}
inline on_receive() {
  if
  :: FRESH_IN_VIEW(n, E) && NOT_VOID(n, E) && NOT_RUN(n, E) && OWNER(view[n]) == from[k] ->
     NOTE_SEEN(E);
     start = R_START
  :: else -> say = REFUSED
  fi
}
/* Asked again while it streams or has ended: success. */
inline on_stream() {
  say = REFUSED;
  if
  :: FRESH_IN_VIEW(n, E) && NOT_VOID(n, E) && RECORD_MOVING(n, E) && OWNER_BEFORE_STREAM(n) ->
     NOTE_SEEN(E);
     if
     :: qemu[n] != NONE && qemu_epoch[n] == E -> say = YES
     :: qemu_epoch[n] != E && qemu[n] == RUNNING && qemu[OTHER(n)] == RECEIVING &&
        qemu_epoch[OTHER(n)] == E ->
        qemu[n] = SENDING;
        qemu_epoch[n] = E;
        streamed_to[n] = target_boot[k];
        stream_failed[n] = false;
        say = YES
     :: else
     fi
  :: else
  fi
}
/* QEMU refuses once the vCPUs have stopped. */
inline on_cancel() {
  if
  :: FRESH(n, E) && qemu[n] == SENDING && qemu_epoch[n] == E -> break_stream(n)
  :: else
  fi
}
inline on_move() {
  if
  :: MOVABLE(n, E) -> start = (POLICY == lock -> M_LOCK : M_MOVE)
  :: else -> say = REFUSED
  fi
}
inline on_release() {
  view[n] = store;
  if
  :: FRESH_IN_VIEW(n, E) && OWNER_IS_TARGET(n) && (POST_AT(n, E) || qemu[n] == NONE) ->
     NOTE_SEEN(E);
     say = YES;
     if
     :: qemu[n] == POST -> CHECK_source_kept(n); kill_copy(n)
     :: else
     fi
  :: else -> say = REFUSED
  fi
}
/* The proof was checked where it came from: the target made e void, has not run it, and its host is
 * the one that was asked to receive. */
inline on_continue() {
  if
  :: FRESH(n, E) && (POST_AT(n, E) || RUNS(n)) ->
     NOTE_SEEN(E);
     CONTINUE_FENCE(n, E);
     start = K_CONT
  :: else -> say = REFUSED
  fi
}
/* Where the VM runs. A config that is elsewhere comes there first. */
inline settle(e, is_source) {
  view[n] = store;
  if
  :: FRESH_IN_VIEW(n, e) && (is_source -> KEEPS_RUNNING(n, e) : mark_run[n] == (e)) ->
     if
     :: is_source -> FENCE(n, e)
     :: else
     fi;
     start = (OWNER_SEEN(n) -> S_UNLOCK : S_BACK)
  :: else -> say = REFUSED
  fi
}
inline let_run(e) {
  mark_run[n] = e;
  NOTE_SEEN(e);
  start = T_CONT
}
inline on_take_over() {
  if
  :: !MAY_RESUME(n, E) -> say = REFUSED
  :: else ->
     if
     :: POLICY == lock -> start = T_LOCK
     :: POLICY == claim -> start = T_CLAIM
     :: POLICY == nocheck || (POLICY == ticket && mark_barrier[n] == E) ||
        (POLICY == early && mark_owned[n] == E) || (POLICY == check && OWNER_SEEN(n)) ->
        let_run(E)
     :: else -> say = REFUSED
     fi
  fi
}
/* Answered once the own view, behind a barrier, shows this node as owner; where this node runs the
 * VM already, it brings the config itself. Under `early` it is asked before the stream. */
inline on_claim() {
  view[n] = store;
  say = REFUSED;
  if
  :: FRESH(n, E) && NOT_VOID(n, E) && mark_run[n] == E ->
     if
     :: OWNER_SEEN(n)
     :: else -> write_place(n, n); CHECK_owner_follows(n)
     fi;
     say = YES
  :: FRESH(n, E) && NOT_VOID(n, E) && mark_run[n] < E && POLICY == early && OWNER_SEEN(n) ->
     mark_owned[n] = E;
     say = YES
  :: else
  fi
}
inline on_void() {
  if
  :: FRESH(n, E) && NOT_RUN(n, E) ->
#ifndef MUTANT_NO_VOID_MARK
     mark_void[n] = MAX(mark_void[n], E);
#endif
     NOTE_SEEN(E);
     start = V_KILL
  :: else -> say = REFUSED
  fi
}

proctype agent(bit n) {
  byte k, m, say, start, slot;
end_serve:
  do
  :: atomic {
       if
       TAKES(m_begin, SLOT_FOR_ONE)
       TAKES(m_receive, SLOT_FOR_ONE)
       TAKES(m_stream, ALWAYS)
       TAKES(m_cancel, ALWAYS)
       TAKES(m_move, SLOT)
       TAKES(m_take_over, SLOT)
       TAKES(m_claim, ALWAYS)
       TAKES(m_release, ALWAYS)
       TAKES(m_settle_target, SLOT)
       TAKES(m_void, SLOT)
       TAKES(m_continue, NO_MOVE_UNDER_WAY)
       TAKES(m_settle_source, NO_MOVE_UNDER_WAY)
       fi;
       consume();
       if
       :: m == m_begin -> on_begin()
       :: m == m_receive -> on_receive()
       :: m == m_stream -> on_stream()
       :: m == m_cancel -> on_cancel()
       :: m == m_move -> on_move()
       :: m == m_take_over -> on_take_over()
       :: m == m_claim -> on_claim()
       :: m == m_release -> on_release()
       :: m == m_settle_target || m == m_settle_source -> settle(E, m == m_settle_source)
       :: m == m_void -> on_void()
       :: m == m_continue -> on_continue()
       fi;
       begin_work(k);
       reply(k, say);
       forget() }

  /* What a controller has left. */
  :: atomic { ORPHAN_WORK(n) ->
       printf("node %d finishes what is left of epoch %d\n", n, EPOCH(store));
       if
       :: ORPHAN_SUPERSEDED(n) ->
          NOTE_SEEN(qemu_epoch[n]);
          if
          :: WAITS(n) -> mark_void[n] = MAX(mark_void[n], qemu_epoch[n])
          :: else
          fi;
          kill_copy(n)
       :: ORPHAN_CANCELS(n) -> break_stream(n)
       :: ORPHAN_PUBLISHES(n) -> start = P_LOOK
       :: ORPHAN_GOES_ON(n) -> CONTINUE_FENCE(n, EPOCH(store)); start = K_CONT
       :: ORPHAN_VOIDS(n) -> mark_void[n] = EPOCH(store); start = V_KILL
       :: ORPHAN_RELEASES(n) -> CHECK_source_kept(n); kill_copy(n)
       :: ORPHAN_SETTLES_SOURCE(n) || ORPHAN_SETTLES_TARGET(n) ->
          settle(EPOCH(store), SOURCE(store) == n)
       :: ORPHAN_RESUMES(n) && POLICY == ticket -> let_run(EPOCH(store))
       :: ORPHAN_RESUMES(n) && POLICY != ticket -> start = T_CLAIM
       fi;
       begin_work(ORPHAN);
       forget() }

  /* The config follows the VM after RESUME (`ticket`). */
  :: atomic { UP(n) && claims[n] != 0 ->
       if
       :: HIGHEST(n) <= claims[n] && OWNER(store) != n -> write_place(n, n); CHECK_owner_follows(n)
       :: else
       fi;
       claims[n] = 0 }
  /* The replica catches up, or not yet. */
  :: d_step { UP(n) && view[n] != store -> view[n] = store }
  od
}
