// The node side of drover: requests and driver events in, replies and notices out. Rule: everything
// comes through a port (store, hypervisor, marks, timers), so the simulation runs this very class;
// it keeps nothing that cannot be read back from QEMU, the store and the marks.
//
// One coroutine per request; what two of them could disturb is decided between two waits. The
// requests, in the order of a migration, are in agent_source.cpp (S), agent_target.cpp (T),
// agent_claim.cpp (the config's way to T, under the cluster's lock: agent_lock.cpp) and
// agent_end.cpp (tear-down and back-out). What a controller that is gone has left is finished in
// agent_orphan.cpp, and what a recovery asks for is in agent_recovery.cpp; agent_watch.cpp and
// agent_leftover.cpp look after what should be over.
#pragma once

#include "runtime/agent/asks.hpp"
#include "runtime/agent/bandwidth_shares.hpp"
#include "runtime/agent/leftover.hpp"
#include "runtime/agent/ownership_guard.hpp"
#include "runtime/agent/run_marks.hpp"
#include "runtime/agent/task.hpp"
#include "runtime/base/clock_estimate.hpp"
#include "runtime/base/timers.hpp"
#include "runtime/store/vm_config.hpp"
#include "runtime/wire/message.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover {

enum class agent_access : std::uint8_t {
  control,
  /// Serves hello, ping and list_vms and changes nothing: beside an agent that has control.
  observe,
};

struct agent_settings {
  node_id node;
  std::string boot_id; ///< of the host
  std::string version;
  std::uint32_t pid = 0;
  std::uint64_t memory_bytes = 0; ///< of the host
  std::uint32_t cores = 0;
  agent_access access = agent_access::control;
  /// Of all streams together that leave this node; 0 = unlimited.
  std::uint64_t bandwidth_bytes_per_s = 0;
  /// The host's wall clock, for time stamps only.
  std::function<wall_time()> wall_now;
};

class agent final : private hypervisor_events {
public:
  using sender = std::function<void(const wire::from_agent&)>;

  /// The ports outlive the agent. `send` is called on the loop's thread.
  agent(
    agent_settings settings, store& config_store, hypervisor& machines, mark_store& marks,
    timers& clock, sender send);
  ~agent() override;
  agent(const agent&) = delete;
  agent& operator=(const agent&) = delete;

  /// Answered once by `send`, now or later; asked again under the same id: the same answer.
  void request(wire::request asked);
  /// What the store's driver did, for the trace; reported when the node has nothing better to do.
  void store_operated(store_operation operation);
  /// The controller is dead or has closed. The agent brings what is in flight to a safe end, so
  /// that exactly one copy of each VM runs, and then calls `on_finished`.
  void controller_gone();
  /// After controller_gone: another agent waits for this node; leaves what is in flight to it,
  /// since it finds everything in QEMU, the store and the marks.
  void give_way();
  /// Called once, last; the agent must not be destroyed inside it.
  std::function<void()> on_finished;

  const std::string& controller() const { return controller_; }

private:
  using answered = result<wire::reply_body>;
  struct cordon_held {
    std::string holder;
    std::uint64_t generation = 0;
  };
  /// A moment, and how the clocks stood to each other when it was heard of.
  struct stamp {
    wall_time at;
    nanoseconds clock_shift;
  };
  struct cancelled_stream {
    epoch number;
    std::string reason;
  };
  struct claim_state {
    epoch number;
    std::optional<result<wire::claimed>> end; ///< absent: under way
  };

  // hypervisor_events
  void on_stopped(vm_id vm, wall_time at) override;
  void on_resumed(vm_id vm, wall_time at) override;
  void on_stream_end(
    vm_id vm, epoch number, wire::stream_end end, const std::string& reason, wall_time at) override;
  void on_progress(vm_id vm, epoch number, const stream_figures& figures) override;
  void on_exit(vm_id vm, const std::string& reason) override;

  // agent.cpp: one request's way.
  task<done> boot();
  task<done> serve(wire::request asked);
  std::optional<error> refusal(const wire::request_body& body) const;
  void finish(const request_id& id, answered body);

  // agent_node.cpp: the node as a whole, and VMs that it owns.
  task<answered> handle(wire::hello asked, mono_time until);
  task<answered> handle(wire::ping asked, mono_time until);
  task<answered> handle(wire::read_clocks asked, mono_time until);
  task<answered> handle(wire::list_vms asked, mono_time until);
  task<answered> handle(wire::start_vm asked, mono_time until);
  task<answered> handle(wire::stop_vm asked, mono_time until);
  task<answered> handle(wire::cordon asked, mono_time until);
  task<answered> handle(wire::uncordon asked, mono_time until);
  task<done> renew_cordon(std::uint64_t generation);
  struct own_vms {
    std::map<vm_id, wire::vm_entry> entries;
    std::string cordon;
  };
  task<result<own_vms>> list_own_vms();
  std::string cordon_lock() const;
  task<result<std::string>> cordon_holder();
  task<done> drop_stale_cordon();
  /// What a request is answered whose success has nothing to tell.
  static answered accepted_if(const result<done>& outcome);
  task<done> survey_ended(mono_time until);
  task<result<done>> not_cordoned();
  task<result<done>> not_being_finished(vm_id vm, mono_time until);
  struct owned_config {
    vm_config config;
    std::optional<handover_record> record;
  };
  task<result<owned_config>> own_config(operation what, vm_id vm);

  // agent_source.cpp: S until its stream has ended.
  task<answered> handle(wire::begin_handover asked, mono_time until);
  task<answered> handle(wire::stream asked, mono_time until);
  task<answered> handle(wire::set_downtime_limit asked, mono_time until);
  task<answered> handle(wire::cancel_stream asked, mono_time until);
  task<answered> handle(wire::await_outcome asked, mono_time until);
  task<answered> begin(wire::begin_handover asked, mono_time until);
  task<result<handover_record>> open_handover(wire::begin_handover asked);
  task<result<done>> write_begin(handover_record record, vm_config config);
  task<done> undo_begin(handover_record record);
  void give_up(const handover_record& record);
  task<result<done>> unlock(vm_id vm);
  task<answered> describe_begun(handover_record record);

  // agent_bandwidth.cpp: the streams of S among each other.
  bandwidth_by_vm leaving_streams() const;
  std::uint64_t admit_stream(vm_id vm, std::uint64_t at_most);
  void share_bandwidth_anew();
  void tell_shares(const bandwidth_by_vm& shares);
  task<done> tell_share(vm_id vm, std::uint64_t bytes_per_s);

  // agent_quorum.cpp: no pause without a store that takes writes.
  void need_quorum();
  task<done> cancel_without_quorum();
  void explain_cancel(const ticket& t, wire::outcome& ended) const;

  // agent_target.cpp: T until it runs.
  task<answered> handle(wire::receive asked, mono_time until);
  task<answered> handle(wire::take_over asked, mono_time until);
  task<result<wire::stream_offer>> prepare(const wire::receive& asked, mono_time until);
  task<result<done>> is_same_machine(const wire::receive& asked);
  result<done> still_open(const ticket& t) const;
  task<result<std::uint32_t>> see_record(const ticket& t, mono_time until);
  task<result<done>> gather_evidence(const ticket& t, guard_facts& facts, mono_time until);
  task<result<wire::taken_over>> let_run(ticket t, guard_facts facts);

  // agent_claim.cpp: the config's way.
  task<answered> handle(wire::move_config asked, mono_time until);
  task<answered> handle(wire::await_claim asked, mono_time until);
  void start_claim(const ticket& t);
  task<done> claim(ticket t);
  task<result<wire::claimed>> claim_end(ticket t, mono_time until);
  task<result<done>> move_away(ticket t);
  task<result<wire::claimed>> bring_config(ticket t, node_id from, node_id to, mono_time until);
  task<result<wire::claimed>> see_owner(ticket t, mono_time until);
  task<result<wire::claimed>> note_owner(ticket t, mono_time until);

  // agent_lock.cpp: policy `lock`.
  task<result<done>> move_under_lock(ticket t, mono_time until);
  task<result<vm_view>> look_under_lock(ticket t, mono_time until);
  task<result<done>> take_handover_lock(ticket t, mono_time until);
  task<done> drop_handover_lock(ticket t);
  task<done> drop_handover_lock_later(ticket t);
  task<done> drop_stale_lock();
  std::string lock_holder(const ticket& t) const;

  // agent_end.cpp: tear-down and back-out.
  task<answered> handle(wire::release_source asked, mono_time until);
  task<answered> handle(wire::settle asked, mono_time until);
  task<answered> handle(wire::void_handover asked, mono_time until);
  task<answered> handle(wire::continue_source asked, mono_time until);
  task<result<done>> release(ticket t);
  result<done> mark_settling(const ticket& t);
  task<result<done>> settle(ticket t, mono_time until);
  task<result<done>> put_in_place(ticket t, const vm_view& seen, mono_time until);
  task<result<done>> void_epoch(ticket t);
  task<result<done>> end_copy(ticket t);
  task<done> end_copy_when_over(ticket t);
  task<result<done>> go_on(
    ticket t, wire::voided proof, mono_time until, std::optional<std::string> assurance = {});
  wire::voided proof_of_void(const ticket& t) const;

  // agent_recovery.cpp: what a recovery asks for.
  task<answered> handle(wire::inspect_handovers asked, mono_time until);
  task<answered> handle(wire::discard_copy asked, mono_time until);
  task<answered> handle(wire::close_handover asked, mono_time until);
  task<answered> handle(wire::forget_vm asked, mono_time until);
  task<result<std::map<vm_id, wire::handover_part>>> list_parts();
  void describe_record(wire::handover_part& part, handover_record record) const;
  task<done> describe_config(wire::handover_part& part);
  task<result<done>> discard(ticket t);
  task<result<done>> close(ticket t);
  task<result<done>> forget(vm_id vm);

  // agent_orphan.cpp, agent_orphan_target.cpp: what a controller that is gone has left.
  task<done> outlive_controller();
  task<done> adopt();
  task<result<std::map<vm_id, handover_record>>> own_records();
  void finish(handover_record record);
  task<done> orphan(handover_record record);
  task<done> end_superseded(handover_record record);
  task<done> orphan_source(handover_record record);
  task<done> orphan_target(handover_record record);
  task<done> await_return(ticket t);
  task<bool> end_target(handover_record record);
  task<done> let_run_alone(handover_record record);
  task<done> publish_completed(handover_record record);
  task<done> settle_alone(ticket t);
  task<done> settle_target(ticket t);
  task<done> release_when_settled(handover_record record);
  bool concerns(const handover_record& record) const;
  task<result<done>> publish(handover_record word, source_outcome outcome);
  static ticket ticket_of(handover_record record);
  bool abandoned() const;

  // agent_watch.cpp: what was settled, looked at again.
  void watch(const ticket& t);
  task<done> look_again(ticket t, std::uint64_t round);
  task<done> settle_again(ticket t);
  task<done> watch_membership();
  task<bool> is_still_settled(ticket t);
  void watch_settled();
  task<done> watch_settled_of(vm_id vm);
  void watch_half_begun();
  void give_up_unheard(vm_id vm);
  task<done> end_half_begun(vm_id vm, epoch number);
  task<std::map<vm_id, handover_record>> forgotten_records(std::map<vm_id, handover_record> all);

  // agent_leftover.cpp: copies that wait although their handover is over.
  std::map<vm_id, own_part> waiting_copies() const;
  void look_for_leftovers();
  task<done> end_leftovers();
  task<bool> end_leftover(vm_id vm);
  bool is_attended(vm_id vm) const;

  // agent_facts.cpp: what the others judge by, and waiting.
  guard_facts facts_of(const ticket& t) const;
  guard_facts facts_now(const ticket& t, const vm_view& seen) const;
  run_marks marks_of(vm_id vm) const;
  own_part part_of(vm_id vm) const;
  result<done> mark(vm_id vm, const run_marks& marks);
  result<done> mark_seen(const ticket& t);
  wire::run_state state_of(const machine_status& status) const;
  bool has_loaded(const machine_status& status) const;
  /// A source that was paused before its move, and stays so after the move was taken back.
  bool is_kept(const machine_status& status) const;
  /// Why this QEMU cannot be sent to another node; `started` is the config that it was started by.
  std::vector<std::string> blockers_of(
    const machine_status& status, const std::string& started) const;
  clock_reading read_clocks() const;
  static bool source_runs(const handover_record& record, const ticket& t);
  pending<done> changed(vm_id vm, nanoseconds at_most);
  pending<done> sleep(nanoseconds delay);
  void notify(vm_id vm);
  void notify_all();

  // agent_trace.cpp: notices that must not disturb a pause.
  void arm_trace(nanoseconds delay);
  void flush_trace();
  bool in_a_pause();

  const agent_settings settings_;
  store_asks store_;
  hypervisor& machines_;
  machine_asks machine_;
  mark_store& mark_store_;
  timers& timers_;
  const sender send_;

  std::map<vm_id, run_marks> marks_;
  /// Why no request can be served; set when marks or QEMUs could not be read at the start.
  std::optional<error> broken_;
  bool attached_ = false;
  bool greeted_ = false;
  std::string controller_;

  std::set<request_id> in_progress_;
  std::map<request_id, wire::reply> answered_;
  std::deque<request_id> answered_order_;

  std::multimap<vm_id, std::function<void(result<done>)>> waiters_;
  std::set<vm_id> busy_;
  /// VMs whose handover a request is at work on, once per request.
  std::multiset<vm_id> attended_;
  /// VMs whose void copy waits here for its source to run.
  std::set<vm_id> ending_;
  bool looking_ = false;
  /// VMs for which the cluster's lock is held or waited for.
  std::set<vm_id> locking_;
  std::map<vm_id, claim_state> claims_;
  /// The epochs whose settled state is looked at again.
  std::map<vm_id, ticket> watched_;
  /// The looks begin anew with each change of the cluster's membership.
  std::uint64_t watch_round_ = 0;
  bool watching_membership_ = false;
  std::map<vm_id, stamp> stopped_; ///< S: the vCPUs
  std::map<vm_id, stamp> loaded_;  ///< T: its stream's end
  /// What the streams that leave here were told last.
  bandwidth_by_vm told_shares_;
  bool needing_quorum_ = false;
  /// Streams that were cancelled for want of a quorum, and what the store said.
  std::map<vm_id, cancelled_stream> without_quorum_;
  std::optional<cordon_held> cordon_;
  std::uint64_t cordon_generation_ = 0;

  /// Handovers of controllers that are gone, while they are finished here; value: of whom.
  std::map<vm_id, std::string> finishing_;
  /// What they have left is not known yet.
  bool surveying_ = false;

  bool gone_ = false;
  bool giving_way_ = false;
  mono_time gone_until_;
  mono_time return_until_;

  std::vector<store_operation> operations_;
  mono_time operations_since_;
  mono_time active_at_;
  bool trace_armed_ = false;
  /// VMs between the end of their stream and their resumption here; value: until when at most.
  std::map<vm_id, mono_time> pauses_;

  /// Destroyed first: no coroutine outlives what it uses.
  task_set tasks_;
};

} // namespace drover
