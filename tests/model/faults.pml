/* What happens by itself: the stream between the two QEMUs, and the faults. Each fault costs one of
 * faults_max; what follows from it costs nothing. */

#define PARTNER(n, what) (qemu[OTHER(n)] == (what) && qemu_epoch[OTHER(n)] == qemu_epoch[n])
#define PARTNER_RUNS(n) (RUNS(OTHER(n)) && qemu_epoch[OTHER(n)] == qemu_epoch[n])
#define HAS_WORK(n) (work[2 * (n)] != IDLE || claims[n] != 0)
#define LOCK_WORK(w) ((w) == M_MOVE || (w) == M_DROP || (w) == T_DROP)
#define HOLDS_LOCK(n) (LOCK_WORK(work[2 * (n)]) || LOCK_WORK(work[2 * (n) + 1]))

inline crash_node(node) {
  printf("FAULT: node %d dies\n", node);
  died_with_node = died_with_node || (latest[node] && !latest[OTHER(node)]);
  alive[node] = false;
  boots[node]++;
  drop_work(node);
  qemu[node] = NONE;
  qemu_epoch[node] = 0;
  stream_failed[node] = false;
  latest[node] = false;
  streamed_to[node] = 0;
  mark_run[node] = 0;
  mark_void[node] = 0;
  mark_seen[node] = 0;
  mark_barrier[node] = 0;
  mark_owned[node] = 0;
  view[node] = 0
}

proctype stream(bit n) {
end_flow:
  do
  :: atomic { DECIDED && qemu[n] == SENDING && PARTNER(n, RECEIVING) ->
       printf("node %d: vCPUs stopped\n", n);
       qemu[n] = STOPPED }
  :: atomic { DECIDED && qemu[n] == STOPPED && PARTNER(n, RECEIVING) ->
       printf("node %d: everything loaded\n", OTHER(n));
       qemu[OTHER(n)] = LOADED;
       latest[OTHER(n)] = true }
  :: atomic { DECIDED && qemu[n] == STOPPED && PARTNER(n, LOADED) ->
       printf("node %d: postmigrate\n", n);
       qemu[n] = POST }
  /* The stream breaks, or the last word to the source is lost; or the target's QEMU is gone: with
   * the return path on, the source runs on. */
  :: atomic { (qemu[n] == SENDING || qemu[n] == STOPPED) &&
              (MAY_FAIL || (DECIDED && !PARTNER(n, RECEIVING) && !PARTNER(n, LOADED) &&
                            !PARTNER_RUNS(n))) ->
       faults = faults + (PARTNER(n, RECEIVING) || PARTNER(n, LOADED) || PARTNER_RUNS(n) -> 1 : 0);
       if
       :: qemu[n] == STOPPED -> CHECK_one_runs(n)
       :: else
       fi;
       break_stream(n) }
  /* Its stream ended before it had everything. */
  :: atomic { DECIDED && qemu[n] == RECEIVING && qemu_epoch[OTHER(n)] == qemu_epoch[n] &&
              qemu[OTHER(n)] != SENDING && qemu[OTHER(n)] != STOPPED ->
       kill_copy(n) }
  od
}

/* One node's, one controller's. */
proctype fault(bit n) {
end_harm:
  do
  :: atomic { MAY_FAIL && ACTIVE(n) -> faults++; printf("FAULT: controller\n"); end_with(n) }
  /* A link: the node's agent takes the controller for dead. */
  :: d_step { MAY_FAIL && (ACTIVE(0) || ACTIVE(1)) && !link_cut[n] ->
       faults++;
       printf("FAULT: link of node %d\n", n);
       link_cut[n] = true }
  /* An agent; the next one finds QEMU, store and marks. */
  :: d_step { MAY_FAIL && HAS_WORK(n) ->
       faults++;
       printf("FAULT: agent of node %d\n", n);
       drop_work(n) }
  /* A node, with its QEMU and its marks. */
  :: d_step { MAY_FAIL && alive[n] -> faults++; crash_node(n) }
  :: d_step { DECIDED && !alive[n] -> alive[n] = true; view[n] = store }
  /* The cluster's lock expires when nobody renews it. */
  :: d_step { DECIDED && lock_holder == n + 1 && !HOLDS_LOCK(n) -> lock_holder = 0 }
  od
}
