/* What the processes share: the store with one lagging view per node, the two QEMUs, the marks, and
 * the wire. Rule: nothing here decides; every name of a phase or a policy is the code's own. */

mtype:policy = { check, nocheck, lock, early, claim, ticket }
#ifndef POLICY
#define POLICY ticket
#endif
#define MOVES_AT_SOURCE (POLICY == check || POLICY == nocheck || POLICY == lock || POLICY == early)

mtype:phase = {
  waiting, beginning, receiving, queued, streaming, moving_config,
  taking_over, claiming, cleaning, voiding, reverting, ended
}

/* -- bounds: chosen in `init` ------------------------------------------------------------------ */
#define EPOCH_MAX 3
byte faults;     /* so far */
byte faults_max; /* at most */
bool two_controllers;

/* -- store: one byte, so that a view is a copy of it ------------------------------------------- */
/* A view is the state after some prefix of the ordered writes: it stays, or jumps to now. */
#define OWNER(s) ((s) & 1)
#define LOCKED(s) (((s) >> 1) & 1)
#define MOVING(s) (((s) >> 2) & 1)
#define SOURCE(s) (((s) >> 3) & 1)
#define OUTCOME(s) (((s) >> 4) & 3)
#define EPOCH(s) (((s) >> 6) & 3)
#define UNPUBLISHED 0
#define COMPLETED 1
#define KEPT 2
#define VOIDED 3
byte store;
byte view[2];
byte lock_holder; /* the cluster's lock of policy `lock`: 0 free, else node + 1 */

/* A write is ordered, so that the own view has seen everything before it. */
inline write_place(node, to) {
  printf("node %d writes: config on %d\n", node, to);
  store = (store & 254) | (to);
  view[node] = store
}
inline write_lock(node, value) {
  printf("node %d writes: lock %d\n", node, value);
  store = (store & 253) | ((value) << 1);
  view[node] = store
}
#define RECORD_ACCEPTS(e, source) \
  ((e) > EPOCH(store) || ((e) == EPOCH(store) && (source) == SOURCE(store)))
inline write_record(node, e, is_moving, source, outcome) {
  if
  :: RECORD_ACCEPTS(e, source) ->
     printf("node %d writes: record %d moving %d outcome %d\n", node, e, is_moving, outcome);
     store = (store & 3) | ((is_moving) << 2) | ((source) << 3) | ((outcome) << 4) | ((e) << 6)
  :: else
  fi;
  view[node] = store
}

/* -- QEMU: one possible copy per node ---------------------------------------------------------- */
#define NONE 0
#define RECEIVING 1 /* started with -S, waits for its stream */
#define LOADED 2    /* has everything, waits for cont */
#define RUNNING 3
#define SENDING 4 /* runs, and its memory flows */
#define STOPPED 5 /* the switchover: vCPUs stand, the last of it flows */
#define POST 6    /* postmigrate: never moves again by itself */
byte qemu[2];
byte qemu_epoch[2]; /* it was received or streams under; 0 none */
bool stream_failed[2]; /* of the source: it ran on by itself */
/* The copy is the VM's latest state: a copy that the other has run past is not. */
bool latest[2];
bool alive[2];
byte boots[2];
byte streamed_to[2]; /* the source knows which boot of the target it has streamed to */
bool died_with_node; /* the only copy was on a node that died */

#define RUNS(n) (qemu[n] == RUNNING || qemu[n] == SENDING)
#define WAITS(n) (qemu[n] == RECEIVING || qemu[n] == LOADED)
#define OTHER(n) (1 - (n))

/* -- marks of each node; a reboot empties them ------------------------------------------------- */
byte mark_run[2];
byte mark_void[2];
byte mark_seen[2];
byte mark_barrier[2];
byte mark_owned[2]; /* `early`: the own view showed this node as owner before the switchover */
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define HIGHEST(n) MAX(mark_run[n], MAX(mark_void[n], mark_seen[n]))

/* -- the wire: a set of commands per controller; each may come late, again or never ------------ */
#define m_begin 0
#define m_receive 1
#define m_stream 2
#define m_cancel 3
#define m_move 4
#define m_take_over 5
#define m_claim 6
#define m_release 7
#define m_settle_target 8
#define m_void 9
#define m_continue 10
#define m_settle_source 11
#define m_none 15
short wire[2];
#define TO_TARGET(m) \
  ((m) == m_receive || (m) == m_take_over || (m) == m_claim || (m) == m_settle_target || \
   (m) == m_void)
#define NODE_OF(k, m) (TO_TARGET(m) -> OTHER(from[k]) : from[k])

/* -- controllers ------------------------------------------------------------------------------- */
#define NO_ANSWER 0
#define YES 1
#define REFUSED 2
#define UNKNOWN 3
#define NO_PROOF 4 /* void: done, but the node has forgotten what was before */
mtype:phase phase[2] = waiting;
bit from[2];         /* the source */
byte epoch[2];       /* the ticket's */
byte opened[2];      /* the epoch that `begin` wrote for this controller */
byte asked[3] = m_none; /* one more: an orphan works for nobody */
byte answer[3];
byte target_boot[2]; /* as `receive` was answered */
byte source_end[2]; /* 0 unknown, 1 completed, 2 failed or cancelled */
byte target_end[2];
bool stream_asked[2];
bool take_over_asked[2];
bool left_over[2];
bool forward_only[2];
bool link_cut[2]; /* between a living controller and the node: its agent is an orphan meanwhile */
#define ACTIVE(k) (phase[k] != waiting && phase[k] != ended)
/* A controller's decision only sends, and what it sends may come as late as it likes: so deciding
 * at once loses nothing, and every other step waits for it. */
#define DECIDED (answer[0] == NO_ANSWER && answer[1] == NO_ANSWER)
#define UP(n) (DECIDED && alive[n])
#define MAY_FAIL (DECIDED && faults < faults_max)

/* -- the agents' work under way: two steps at a time per node ---------------------------------- */
/* Slot 2n is filled before 2n + 1. An agent's crash empties both; QEMU, store and marks stay. */
#define IDLE 0
#define B_RECORD 1
#define B_LOCK 2
#define R_START 3
#define R_BARRIER 4
#define M_LOCK 5
#define M_MOVE 6
#define M_DROP 7
#define T_LOCK 8
#define T_DROP 9
#define T_CLAIM 10
#define T_CLAIMING 11 /* the write is on its way into the store */
#define T_LET 12
#define T_CONT 13
#define V_KILL 14
#define K_CONT 15
#define K_BACK 16
#define S_BACK 17
#define S_UNLOCK 18
#define S_WRITE 19
#define P_LOOK 20
#define P_WRITE 21
#define P_VOID 22
byte work[4];
byte work_epoch[4];
byte work_for[4]; /* controller, or ORPHAN */
#define ORPHAN 2
byte claims[2]; /* epoch whose config this node brings to itself after RESUME (`ticket`); 0 none */

inline drop_work(node) {
  work[2 * node] = IDLE;
  work_epoch[2 * node] = 0;
  work_for[2 * node] = 0;
  work[2 * node + 1] = IDLE;
  work_epoch[2 * node + 1] = 0;
  work_for[2 * node + 1] = 0;
  claims[node] = 0
}
inline kill_copy(node) {
  printf("node %d: its copy is ended\n", node);
  qemu[node] = NONE;
  qemu_epoch[node] = 0;
  latest[node] = false;
  stream_failed[node] = false;
  CHECK_none_lost
}
/* The source runs on; what the target has is worth nothing then. */
inline break_stream(node) {
  printf("node %d: the stream breaks, it runs on\n", node);
  qemu[node] = RUNNING;
  stream_failed[node] = true;
  if
  :: qemu_epoch[OTHER(node)] == qemu_epoch[node] && qemu[OTHER(node)] == LOADED ->
     latest[OTHER(node)] = false
  :: qemu_epoch[OTHER(node)] == qemu_epoch[node] && qemu[OTHER(node)] == RECEIVING ->
     kill_copy(OTHER(node))
  :: else
  fi
}
