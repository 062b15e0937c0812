// All simulated QEMUs and the network between them, as they are, whatever any driver knows. Rule:
// the truth changes at once and is noted last, so that whoever hears of a change may do the next
// thing to it; the drivers hear of it by the queue.
//
// Nodes and QEMUs: sim_park.cpp. A stream's way: sim_park_streams.cpp. The network:
// sim_park_network.cpp. What ends a stream early: sim_park_breaks.cpp.
#pragma once

#include "runtime/base/event_queue.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/hypervisor/sim_hypervisor.hpp"
#include "runtime/hypervisor/sim_qemu.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace drover {

class sim_park : public std::enable_shared_from_this<sim_park> {
public:
  sim_park(event_queue& queue, luck chance, sim_machine_settings settings);

  event_queue& queue() { return queue_; }
  std::function<void(const machine_changed&)> on_change;

  // -- nodes -------------------------------------------------------------------------------------
  void set_listener(const node_id& node, sim_listener* listener);
  /// Its doors close, and what its listener was setting up goes no further.
  void remove_listener(const node_id& node, sim_listener* listener);
  nanoseconds command_time(const node_id& node);
  void kill_node(const node_id& node);
  void refuse_receive(const node_id& node, std::uint32_t count, const std::string& reason);
  void slow_down(const node_id& node, std::uint32_t times);
  void hold_news(const node_id& node, nanoseconds how_long) { at(node).news_late = how_long; }
  /// The node's wall clock.
  wall_time wall_at(const node_id& node) const {
    return settings_.clocks ? settings_.clocks->wall(node) : queue_.wall_now();
  }

  // -- QEMUs -------------------------------------------------------------------------------------
  void set_load(vm_id vm, const sim_load& load) { loads_[vm] = load; }
  sim_qemu_ptr find(const node_id& node, vm_id vm) const;
  std::vector<sim_qemu_ptr> all_at(const node_id& node) const;
  std::vector<sim_qemu_ptr> all_of(vm_id vm) const;
  std::vector<sim_copy> copies() const;
  std::vector<sim_copy> copies(vm_id vm) const;
  std::uint64_t newest_memory(vm_id vm) const;
  /// Forks it; `up` or `gone` is told when it is there or is not. Number 0 = it runs at once.
  sim_qemu_ptr spawn(const node_id& node, vm_id vm, sim_launch launch, epoch number);
  void put(const node_id& node, vm_id vm, sim_launch launch, wire::run_state state);
  /// What it answers about itself; asked again, the same answer.
  const wire::machine_facts& facts_of(sim_qemu& qemu);
  void end_process(const sim_qemu_ptr& qemu, const std::string& how);
  /// `cont`, which QEMU took.
  void resume(const sim_qemu_ptr& qemu);

  // -- streams -----------------------------------------------------------------------------------
  listening open_door(const sim_qemu_ptr& target, const stream_form& form);
  enum class visit : std::uint8_t { nobody_opens, turned_away, admitted };
  visit knock(const listening& door, const std::string& token) const;
  /// The door lets it in and closes; nothing is sent before `begin`. Precondition: admitted.
  void connect(
    const sim_qemu_ptr& source, const listening& door, std::uint64_t bandwidth_bytes_per_s);
  /// How long the two ends need from the knock to `begin`.
  nanoseconds setup_time(const sim_qemu_ptr& source);
  /// False when the connection did not last until now.
  bool begin(const sim_qemu_ptr& source);
  sim_stream_ptr stream_of(const sim_qemu_ptr& qemu) const;
  void set_downtime_limit(const sim_qemu_ptr& qemu, std::uint32_t limit_ms);
  void set_bandwidth(const sim_qemu_ptr& qemu, std::uint64_t bytes_per_s);
  /// Before the switchover only.
  void cancel(const sim_qemu_ptr& source);
  void cut_streams(const node_id& node);
  void stall_streams(const node_id& node, nanoseconds how_long);
  void lose_acknowledgement(vm_id vm) { lost_acknowledgements_.insert(vm); }

private:
  struct doorway {
    sim_qemu_ptr target;
    std::string token;
    std::string key;
  };
  struct node_part {
    explicit node_part(luck l) : chance(l) {}
    luck chance;
    sim_listener* listener = nullptr;
    std::map<vm_id, sim_qemu_ptr> qemus;
    std::map<std::uint16_t, doorway> doors; ///< by port
    std::uint16_t last_port = 0;
    std::uint32_t times_slower = 1;
    nanoseconds news_late{0};
    std::uint32_t refusals = 0;
    std::string refusal;
    std::set<std::uint64_t> streams; ///< from or to it
    std::uint64_t sharing = 0;       ///< how many of them send now
  };

  node_part& at(const node_id& node);
  const node_part* part_of(const node_id& node) const;
  sim_qemu_ptr add(const node_id& node, vm_id vm, sim_launch launch, epoch number);
  void come_up(const sim_qemu_ptr& qemu);
  void let_run(const sim_qemu_ptr& qemu);
  void tell(const sim_qemu_ptr& qemu, sim_news news);
  void note(const sim_qemu_ptr& qemu, const char* state);
  /// Calls it later, unless the park is gone by then.
  template <class F>
  void after(nanoseconds delay, F task);
  /// As above, for a stream that is still there then.
  template <class F>
  void after(nanoseconds delay, const sim_stream_ptr& stream, F task);

  std::uint64_t speed_of(const sim_stream& stream) const;
  std::uint64_t share_of(const node_id& node) const;
  bool is_stalled(const sim_stream& stream) const { return stream.stalled_until > queue_.now(); }
  nanoseconds stall_left(const sim_stream& stream) const;
  void join_network(const sim_stream_ptr& stream);
  void leave_network(const sim_stream_ptr& stream);
  /// The shares at the two ends of `changed`, for all streams there.
  void share_anew(const sim_stream& changed);
  void set_speed(sim_stream& stream, std::uint64_t bytes_per_s);
  void advance(sim_stream& stream);
  void plan(const sim_stream_ptr& stream);
  void wake(const sim_stream_ptr& stream);
  void stop(const sim_stream_ptr& stream);
  void all_sent(const sim_stream_ptr& stream);
  void load(const sim_stream_ptr& stream);
  void acknowledge(const sim_stream_ptr& stream);
  void tell_end(const sim_qemu_ptr& qemu, wire::stream_end end, const std::string& reason);
  void close(const sim_stream_ptr& stream);

  void lose_end(const sim_stream_ptr& stream, const sim_qemu_ptr& gone, const std::string& how);
  void break_both(const sim_stream_ptr& stream, const std::string& why);
  void far_end_notices(const sim_stream_ptr& stream);
  void fail_handshake(const sim_stream_ptr& stream);
  void fail_source(const sim_stream_ptr& stream, const std::string& why);
  void end_target(const sim_qemu_ptr& target, const std::string& why);

  event_queue& queue_;
  luck chance_;
  luck stream_chance_;
  luck token_chance_;
  sim_machine_settings settings_;
  std::map<node_id, node_part> nodes_;
  std::map<vm_id, std::map<node_id, sim_qemu_ptr>> by_vm_;
  std::map<vm_id, sim_load> loads_;
  std::map<vm_id, std::uint64_t> memories_;
  std::map<std::uint64_t, sim_stream_ptr> streams_;
  std::uint64_t last_stream_ = 0;
  std::set<vm_id> lost_acknowledgements_;
};

template <class F>
void sim_park::after(nanoseconds delay, F task) {
  queue_.after(delay, [weak = weak_from_this(), task = std::move(task)] {
    if (const auto self = weak.lock())
      task(*self);
  });
}

template <class F>
void sim_park::after(nanoseconds delay, const sim_stream_ptr& stream, F task) {
  after(delay, [weak = std::weak_ptr(stream), task = std::move(task)](sim_park& self) {
    const auto still = weak.lock();
    if (still && self.streams_.contains(still->id))
      task(self, still);
  });
}

} // namespace drover
