/* The machine of actors/handover/handover.hpp, one attempt per controller. Two may be at work: the
 * second is a new one after the first is gone, or while the first has lost a link. Asking again is
 * free; giving up is a fault, unless the node is dead. Every step ends in one tail: what is asked
 * next, or the end. */

#define S from[k]
#define T OTHER(from[k])
#define HEARD(what) (phase[k] != waiting && asked[k] == (what) && answer[k] != NO_ANSWER)
#define IS(what) (answer[k] == (what))
#define STREAMING (DECIDED && phase[k] == streaming)
#define ASKED_NODE NODE_OF(k, asked[k])
#define IN_WORK(k, node) \
  ((work[2 * (node)] != IDLE && work_for[2 * (node)] == k) || \
   (work[2 * (node) + 1] != IDLE && work_for[2 * (node) + 1] == k))
#define SOURCE_ENDED \
  (qemu_epoch[S] == epoch[k] && (qemu[S] == POST || (qemu[S] == RUNNING && stream_failed[S])))
#define NOTHING_STREAMS (qemu_epoch[S] < epoch[k] && RUNS(S) && !(wire[k] & (1 << m_cancel)))
#define SOURCE_IS_LOST \
  (qemu[S] == NONE || qemu_epoch[S] > epoch[k] || \
   (qemu[S] == RUNNING && qemu_epoch[S] == epoch[k] && !stream_failed[S]))
#define TARGET_ENDED (qemu[T] != RECEIVING || qemu_epoch[T] != epoch[k])
#define TARGET_HAS_ALL (qemu_epoch[T] == epoch[k] && (qemu[T] == LOADED || RUNS(T)))
#define WAITS_IN_VAIN (source_end[k] == 1 && qemu[T] == RECEIVING)
#define SOURCE_RUNS_BY_ITSELF (!stream_asked[k] || source_end[k] == 2)
#define CAN_START \
  (DECIDED && phase[k] == waiting && (RUNS(0) || RUNS(1)) && \
   (k == 0 || (two_controllers && phase[0] != waiting && \
               (!ACTIVE(0) || link_cut[0] || link_cut[1]))))
/* The run mark stands for a cont that may still be to come, so that its answer is waited for. */
#ifdef MUTANT_TOO_LATE_MEANS_RUNNING
#define AFTER_TOO_LATE claiming
#define ASK_TOO_LATE m_claim
#else
#define AFTER_TOO_LATE taking_over
#define ASK_TOO_LATE m_take_over
#endif
#ifdef MUTANT_QUIT_BEFORE_CLAIM
#define AFTER_TAKE_OVER cleaning
#define ASK_AFTER m_release
#else
#define AFTER_TAKE_OVER claiming
#define ASK_AFTER m_claim
#endif
#ifdef MUTANT_TARGET_ALONE
#define ENOUGH_ENDED (source_end[k] != 2 && target_end[k] == 1)
#else
#define ENOUGH_ENDED (source_end[k] == 1 && target_end[k] == 1)
#endif
/* `check`, as in 2019: the config is gone from the source, the VM hangs paused at the target. */
#define NO_WAY_BACK (POLICY == check || forward_only[k])

inline end_with(k) {
  printf("controller %d ends\n", k);
  phase[k] = ended;
  asked[k] = m_none;
  answer[k] = NO_ANSWER;
  target_boot[k] = 0;
  source_end[k] = 0;
  target_end[k] = 0;
  stream_asked[k] = false;
  take_over_asked[k] = false;
  left_over[k] = false;
  forward_only[k] = false;
  if
  :: !ACTIVE(1 - k) -> link_cut[0] = false; link_cut[1] = false
  :: else
  fi
}
inline go(to, what) {
  phase[k] = to;
  next = what
}
inline back_out() { go(voiding, m_void) }
inline needs_operator() {
  CHECK_never_stuck;
  over = true
}
inline hear(node) {
  link_cut[node] = false;
  next = m_none;
  if
  :: source_end[k] == 2 || (source_end[k] == 1 && target_end[k] == 2) -> back_out()
  :: ENOUGH_ENDED && MOVES_AT_SOURCE && POLICY != early -> go(moving_config, m_move)
  :: ENOUGH_ENDED && !(MOVES_AT_SOURCE && POLICY != early) ->
     take_over_asked[k] = true;
     go(taking_over, m_take_over)
  :: else -> /* a stream that has nowhere to go is cancelled */
     wire[k] = wire[k] | (target_end[k] == 2 -> 1 << m_cancel : 0)
  fi
}

proctype controller(bit k) {
  byte next = m_none;
  bool over;
end_decide:
  do
  :: atomic {
       if
       :: CAN_START -> from[k] = (RUNS(0) -> 0 : 1); go(beginning, m_begin)

       :: HEARD(m_begin) && IS(YES) -> epoch[k] = opened[k]; go(receiving, m_receive)
       :: HEARD(m_begin) && IS(YES) -> epoch[k] = opened[k]; back_out() /* cancelled */
       :: HEARD(m_begin) && IS(REFUSED) -> over = true
       :: HEARD(m_begin) && IS(UNKNOWN) -> needs_operator()

       :: HEARD(m_receive) && IS(YES) && POLICY == early -> go(moving_config, m_move)
       :: HEARD(m_receive) && IS(YES) && POLICY != early -> go(queued, m_none)
       :: HEARD(m_receive) -> back_out() /* refused, unknown or cancelled */

       :: DECIDED && phase[k] == queued -> stream_asked[k] = true; go(streaming, m_stream)
       :: DECIDED && phase[k] == queued -> back_out() /* cancelled */

       :: HEARD(m_stream) && IS(YES) -> next = m_none
       :: HEARD(m_stream) && IS(REFUSED) -> stream_asked[k] = false; back_out()
       :: HEARD(m_stream) && IS(UNKNOWN) -> wire[k] = wire[k] | (1 << m_cancel); next = m_none
       :: STREAMING && source_end[k] == 0 && alive[S] && SOURCE_ENDED ->
          source_end[k] = (qemu[S] == POST -> 1 : 2);
          hear(S)
       :: STREAMING && source_end[k] == 0 && alive[S] && asked[k] == m_none && NOTHING_STREAMS ->
          source_end[k] = 2;
          hear(S)
       :: STREAMING && target_end[k] == 0 && alive[T] && asked[k] == m_none && TARGET_ENDED ->
          target_end[k] = (TARGET_HAS_ALL -> 1 : 2);
          hear(T)
       /* Cancelled, or it does not converge. */
       :: STREAMING && source_end[k] == 0 && asked[k] == m_none && qemu[S] == SENDING &&
          !(wire[k] & (1 << m_cancel)) ->
          wire[k] = wire[k] | (1 << m_cancel);
          next = m_none
       /* Its QEMU is gone, or went on by another way. */
       :: STREAMING && source_end[k] == 0 && alive[S] && asked[k] == m_none && SOURCE_IS_LOST ->
          needs_operator()
       /* Somebody does not tell how the stream ended. */
       :: STREAMING && source_end[k] == 0 && !alive[S] -> needs_operator()
       :: STREAMING && source_end[k] == 0 && alive[S] && MAY_FAIL -> faults++; needs_operator()
       :: STREAMING && target_end[k] == 0 && (!alive[T] || WAITS_IN_VAIN) ->
          target_end[k] = 2;
          hear(T)
       :: STREAMING && target_end[k] == 0 && alive[T] && !WAITS_IN_VAIN && MAY_FAIL ->
          faults++;
          target_end[k] = 2;
          hear(T)

       :: HEARD(m_move) && IS(YES) && POLICY == early -> next = m_claim
       :: HEARD(m_move) && IS(YES) && POLICY != early ->
          take_over_asked[k] = true;
          go(taking_over, m_take_over)
       :: HEARD(m_move) && IS(UNKNOWN) && POLICY == check -> needs_operator()
       :: HEARD(m_move) && !IS(YES) && !(IS(UNKNOWN) && POLICY == check) -> back_out()
       /* `early`: the target sees that it is the owner before the stream begins. */
       :: HEARD(m_claim) && phase[k] == moving_config && IS(YES) -> go(queued, m_none)
       :: HEARD(m_claim) && phase[k] == moving_config -> back_out()

       :: HEARD(m_take_over) && IS(YES) -> go(AFTER_TAKE_OVER, ASK_AFTER)
       :: HEARD(m_take_over) && !IS(YES) && NO_WAY_BACK -> needs_operator()
       :: HEARD(m_take_over) && !IS(YES) && !NO_WAY_BACK -> back_out()
       :: HEARD(m_claim) && phase[k] == claiming && IS(YES) -> go(cleaning, m_release)
       :: HEARD(m_claim) && phase[k] == claiming && !IS(YES) -> needs_operator()
       :: HEARD(m_release) -> left_over[k] = !IS(YES); next = m_settle_target
       :: HEARD(m_settle_target) && IS(YES) && !left_over[k] -> over = true
       :: HEARD(m_settle_target) && (!IS(YES) || left_over[k]) -> needs_operator()

       :: HEARD(m_void) && (IS(YES) || (!(IS(REFUSED) && take_over_asked[k]) &&
                                        SOURCE_RUNS_BY_ITSELF)) ->
          go(reverting, (SOURCE_RUNS_BY_ITSELF -> m_settle_source : m_continue))
       :: HEARD(m_void) && IS(REFUSED) && take_over_asked[k] ->
          forward_only[k] = true;
          go(AFTER_TOO_LATE, ASK_TOO_LATE)
       :: HEARD(m_void) && !IS(YES) && !(IS(REFUSED) && take_over_asked[k]) &&
          !SOURCE_RUNS_BY_ITSELF ->
          needs_operator()
       :: HEARD(m_continue) && IS(YES) -> next = m_settle_source
       :: HEARD(m_settle_source) && IS(YES) -> over = true
       :: (HEARD(m_continue) || HEARD(m_settle_source)) && !IS(YES) -> needs_operator()
       fi;
       answer[k] = NO_ANSWER;
       if
       :: over -> end_with(k)
       :: !over && next != m_none ->
          asked[k] = next;
          wire[k] = wire[k] | (1 << next);
          printf("controller %d %e: asks command %d\n", k, phase[k], next)
       :: !over && next == m_none && (phase[k] == queued || phase[k] == streaming) ->
          asked[k] = m_none
       :: else
       fi;
       next = m_none;
       over = false }

  /* What was lost with an agent is asked again. */
  :: atomic { DECIDED && ACTIVE(k) && asked[k] != m_none && !(wire[k] & (1 << asked[k])) &&
              alive[ASKED_NODE] && !IN_WORK(k, ASKED_NODE) ->
       wire[k] = wire[k] | (1 << asked[k]) }
  /* Given up: the command may have been carried out, may still be, or never will. */
  :: atomic { DECIDED && ACTIVE(k) && asked[k] != m_none && (!alive[ASKED_NODE] || MAY_FAIL) ->
       faults = faults + (alive[ASKED_NODE] -> 1 : 0);
       if
       :: true
       :: wire[k] & (1 << asked[k]) -> wire[k] = wire[k] & (4095 - (1 << asked[k]))
       fi;
       printf("controller %d gives up command %d\n", k, asked[k]);
       answer[k] = UNKNOWN }
  /* What an ended controller has left on the wire may also be lost. */
  :: d_step { DECIDED && phase[k] == ended && wire[k] != 0 -> wire[k] = 0 }
  :: d_step { DECIDED && phase[k] == ended && wire[k] == 0 && (epoch[k] != 0 || opened[k] != 0) &&
              !IN_WORK(k, 0) && !IN_WORK(k, 1) ->
       epoch[k] = 0;
       opened[k] = 0;
       from[k] = 0 }
  od
}
