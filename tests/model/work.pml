/* The agents' work under way, step by step. Another slot's step, a crash or a fault can come
 * between any two of them. Every step ends in one tail: an answer, the next step, or the end of
 * the work. */

#define HERE (2 * n + i)
#define NOW work[HERE]
#define AT work_epoch[HERE]
#define FOR work_for[HERE]
#define IS_SOURCE (FOR == ORPHAN || from[FOR] == n)
/* Which command it carries out; an orphan's work is asked for by nobody. */
#define COMMAND \
  (NOW <= B_LOCK -> m_begin : (NOW <= R_BARRIER -> m_receive : (NOW <= M_DROP -> m_move : \
  (NOW <= T_CONT -> m_take_over : (NOW == V_KILL -> m_void : (NOW <= K_BACK -> m_continue : \
  (IS_SOURCE -> m_settle_source : m_settle_target)))))))
#define MAY_GO_ON \
  (UP(n) && NOW != IDLE && (NOW != M_LOCK || lock_holder == 0) && \
   (NOW != V_KILL || NO_CLAIM_UNDER_WAY(n)))

inline cont(node) {
  printf("node %d: cont\n", node);
  CHECK_one_runs(node);
  qemu[node] = RUNNING;
  latest[node] = true;
  latest[OTHER(node)] = false
}
inline drop_lock() {
  if
  :: lock_holder == n + 1 -> lock_holder = 0; view[n] = store
  :: else
  fi
}
inline take_lock() {
  lock_holder = n + 1;
  view[n] = store
}
inline bring_here() {
  if
  :: OWNER(store) == n -> view[n] = store
  :: else -> CHECK_owner_follows(n); write_place(n, n)
  fi
}
inline end_work() {
  if
  :: i == 0 ->
     work[2 * n] = work[2 * n + 1];
     work_epoch[2 * n] = work_epoch[2 * n + 1];
     work_for[2 * n] = work_for[2 * n + 1]
  :: else
  fi;
  work[2 * n + 1] = IDLE;
  work_epoch[2 * n + 1] = 0;
  work_for[2 * n + 1] = 0
}

#ifdef MUTANT_SKIP_BARRIER
#define SEE_RECORD skip
#define RECORD_SEEN true
#else
#define SEE_RECORD view[n] = store
#define RECORD_SEEN (EPOCH(view[n]) == AT && MOVING(view[n]))
#endif
#ifdef MUTANT_RECEIVE_KILLS_LOADED
#define RECEIVES_STILL(n) WAITS(n)
#else
#define RECEIVES_STILL(n) (qemu[n] == RECEIVING)
#endif
#ifdef MUTANT_VOID_KILLS_LOADED
#define MAY_BE_KILLED(n) true
#else
#define MAY_BE_KILLED(n) (qemu[n] == RECEIVING)
#endif
#define PROOF (REMEMBERS(n, AT) -> YES : NO_PROOF)

/* -- begin: the record, then the lock ---------------------------------------------------------- */
inline step_begin() {
  if
  :: NOW == B_RECORD && RECORD_ACCEPTS(AT, n) ->
     write_record(n, AT, 1, n, UNPUBLISHED);
     next = B_LOCK
  :: NOW == B_RECORD && !RECORD_ACCEPTS(AT, n) -> say = REFUSED
  :: NOW == B_LOCK && OWNER(store) == n -> write_lock(n, 1); say = YES
  :: NOW == B_LOCK && OWNER(store) != n -> write_record(n, AT, 0, n, KEPT); say = REFUSED
  fi
}
/* -- receive: QEMU, then the barrier; a copy that is void makes room --------------------------- */
inline step_receive() {
  if
  :: NOW == R_START ->
     if
     :: WAITS(n) && qemu_epoch[n] < AT && mark_void[n] >= qemu_epoch[n] &&
        AT == EPOCH(view[n]) ->
        kill_copy(n)
     :: else
     fi;
     if
     :: qemu[n] == NONE -> qemu[n] = RECEIVING; qemu_epoch[n] = AT; next = R_BARRIER
     :: WAITS(n) && qemu_epoch[n] == AT -> next = R_BARRIER
     :: else -> say = REFUSED
     fi
  :: NOW == R_BARRIER ->
     SEE_RECORD;
     if
     :: RECORD_SEEN && mark_void[n] < AT && mark_seen[n] <= AT ->
        mark_barrier[n] = AT;
        target_boot[FOR] = (asked[FOR] == m_receive -> boots[n] : target_boot[FOR]);
        say = YES
     :: else ->
        say = REFUSED;
        if
        :: RECEIVES_STILL(n) && qemu_epoch[n] == AT -> kill_copy(n)
        :: else
        fi
     fi
  fi
}
/* -- move: at the source; under `lock` between taking and dropping it -------------------------- */
inline step_move() {
  if
  :: NOW == M_LOCK ->
     take_lock();
     if
     :: MOVABLE(n, AT) -> next = M_MOVE
     :: else -> drop_lock(); say = REFUSED
     fi
  :: NOW == M_MOVE && OWNER(store) == n ->
     CHECK_owner_follows(OTHER(n));
     write_place(n, OTHER(n));
     next = M_DROP
  :: NOW == M_MOVE && OWNER(store) != n -> view[n] = store; next = M_DROP
  :: NOW == M_MOVE && OWNER(store) == n && MAY_FAIL -> faults++; drop_lock(); say = REFUSED
  :: NOW == M_DROP -> drop_lock(); say = YES
  fi
}
/* -- take_over: the evidence, the run mark, cont ----------------------------------------------- */
inline step_take_over() {
  if
  :: NOW == T_LOCK && lock_holder == 0 -> take_lock(); next = T_DROP
  :: NOW == T_LOCK && lock_holder != 0 -> say = REFUSED /* 90 s are over */
  :: NOW == T_DROP && OWNER_SEEN(n) -> drop_lock(); next = T_LET
  :: NOW == T_DROP && !OWNER_SEEN(n) -> drop_lock(); say = REFUSED
  :: NOW == T_CLAIM && (HIGHEST(n) > AT || mark_void[n] >= AT) -> say = REFUSED
  :: NOW == T_CLAIM && HIGHEST(n) <= AT && mark_void[n] < AT -> next = T_CLAIMING
  :: NOW == T_CLAIMING -> bring_here(); next = T_LET
  :: NOW == T_CLAIMING && FOR != ORPHAN && MAY_FAIL -> faults++; say = REFUSED
  :: NOW == T_LET && MAY_RESUME(n, AT) ->
     mark_run[n] = AT;
     mark_seen[n] = MAX(mark_seen[n], AT);
     next = T_CONT
  :: NOW == T_LET && !MAY_RESUME(n, AT) -> say = REFUSED
  :: NOW == T_CONT && qemu[n] == NONE -> say = REFUSED
  :: NOW == T_CONT && qemu[n] != NONE ->
     if
     :: qemu[n] == LOADED && qemu_epoch[n] == AT ->
        CHECK_resumed_on_evidence(n, AT);
        cont(n)
     :: else
     fi;
     claims[n] = (POLICY == ticket -> AT : 0);
     say = YES
  fi
}
/* -- void and continue ------------------------------------------------------------------------- */
/* The void mark is the fence. A copy that has loaded everything may be the last one, so that it
 * goes only when the record says that the source runs. */
inline step_back() {
  if
  :: NOW == V_KILL ->
     if
     :: WAITS(n) && qemu_epoch[n] <= AT && MAY_BE_KILLED(n) -> kill_copy(n)
     :: else
     fi;
     say = PROOF;
     next = (FOR == ORPHAN -> P_VOID : IDLE)
  :: NOW == K_CONT && POST_AT(n, AT) -> cont(n); next = K_BACK
  :: NOW == K_CONT && !POST_AT(n, AT) && RUNS(n) -> next = K_BACK
  :: NOW == K_CONT && !POST_AT(n, AT) && !RUNS(n) -> say = REFUSED
  :: NOW == K_BACK -> bring_here(); say = YES
  fi
}
/* -- settle: the config to where the VM runs, the lock, the record ----------------------------- */
inline step_settle() {
  if
  :: NOW == S_BACK -> bring_here(); next = S_UNLOCK
  :: NOW == S_UNLOCK && OWNER(store) == n -> write_lock(n, 0); next = S_WRITE
  :: NOW == S_UNLOCK && OWNER(store) != n -> say = REFUSED
  :: NOW == S_WRITE && (FOR == ORPHAN -> SOURCE(store) == n : from[FOR] == n) ->
     write_record(n, AT, 0, n, KEPT);
     say = YES
  :: NOW == S_WRITE && (FOR == ORPHAN -> SOURCE(store) != n : from[FOR] != n) ->
     write_record(n, AT, 0, OTHER(n), COMPLETED);
     say = YES
  fi
}
/* -- an orphan's word to the other side: the source never moves again, the target never ran ---- */
inline step_publish() {
  if
  :: NOW == P_LOOK ->
     view[n] = store;
     if
     :: MOVING_FROM(n) && EPOCH(store) == AT -> next = P_WRITE
     :: else
     fi
  :: NOW == P_WRITE -> write_record(n, AT, 1, n, COMPLETED)
  :: NOW == P_VOID -> write_record(n, AT, 1, OTHER(n), VOIDED)
  fi
}

proctype worker(bit n; bit i) {
  byte m, say, next;
end_wait:
  do
  :: atomic { MAY_GO_ON ->
       m = COMMAND;
       if
       :: NOW <= B_LOCK -> step_begin()
       :: NOW >= R_START && NOW <= R_BARRIER -> step_receive()
       :: NOW >= M_LOCK && NOW <= M_DROP -> step_move()
       :: NOW >= T_LOCK && NOW <= T_CONT -> step_take_over()
       :: NOW >= V_KILL && NOW <= K_BACK -> step_back()
       :: NOW >= S_BACK && NOW <= S_WRITE -> step_settle()
       :: NOW >= P_LOOK -> step_publish()
       fi;
       reply(FOR, say);
       if
       :: next != IDLE -> NOW = next
       :: else -> end_work()
       fi;
       m = 0;
       say = 0;
       next = 0 }
  od
}
