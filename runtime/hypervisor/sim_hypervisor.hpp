// Driver of the hypervisor port in virtual time: QEMUs that dirty memory, converge or do not, and
// fail as real ones were seen to fail. Rule: it promises exactly what hypervisor.hpp promises; the
// QEMUs belong to `sim_machines` and outlive the drivers, as processes do.
//
//   S: running -> streaming -> stopped (on_stopped) -> completed/postmigrate | failed: runs again
//   T: incoming -> loaded (completed) -> running by resume only          | dead: exit 1
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/event_queue.hpp"
#include "runtime/base/host_clocks.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/hypervisor/hypervisor.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace drover {

/// How fast a guest writes memory, and over how much of it.
struct sim_load {
  std::uint64_t dirty_bytes_per_s = 80 * 4096;
  std::uint64_t working_set_bytes = 256 * 1024;
};

struct sim_machine_settings {
  /// A QEMU process from fork to an answering monitor.
  delay_range start{milliseconds{30}, milliseconds{80}, 0, {}};
  /// One monitor command.
  delay_range command{std::chrono::microseconds{100}, std::chrono::microseconds{400}, 0, {}};
  /// After the last byte: the target has loaded everything.
  delay_range load{std::chrono::microseconds{900}, std::chrono::microseconds{1800}, 0, {}};
  /// Then the source has its acknowledgement.
  delay_range acknowledge{std::chrono::microseconds{100}, std::chrono::microseconds{400}, 0, {}};
  /// Of a node's uplink, shared by its streams.
  std::uint64_t bandwidth_bytes_per_s = 1'000'000'000;
  /// With which the QEMUs stamp what happens to them; null = all with the world's.
  const host_clocks* clocks = nullptr;
};

/// One QEMU as it is, whatever any driver knows of it.
struct sim_copy {
  node_id node;
  vm_id vm;
  wire::run_state state = wire::run_state::absent;
  epoch number;
  /// Its vCPUs run or may run without another command (a source while it streams counts).
  bool past_cont = false;
  /// It holds a whole memory and would run when told to.
  bool continuable = false;
  /// Grows each time any copy of this VM is let run. A copy that runs with an older one than the
  /// newest would have lost what the guest did since.
  std::uint64_t memory = 0;
};

class sim_machines {
public:
  sim_machines(event_queue& queue, luck chance, sim_machine_settings settings);
  ~sim_machines();
  sim_machines(const sim_machines&) = delete;
  sim_machines& operator=(const sim_machines&) = delete;

  /// One agent's driver. When it is destroyed its answers and events come no more, the QEMUs live
  /// on.
  std::unique_ptr<hypervisor> open(const node_id& node);
  /// For QEMUs of this VM that start later.
  void set_load(vm_id vm, const sim_load& load);
  /// A VM that runs (or is paused) before the world begins.
  void put_machine(const node_id& node, vm_id vm, const std::string& config, wire::run_state state);

  // -- what is done to them
  // ------------------------------------------------------------------------
  /// SIGKILL to the VM's QEMU on this node; false where none is.
  bool kill(const node_id& node, vm_id vm);
  /// SIGKILL to the QEMU that receives the VM, wherever; false where none does.
  bool kill_receiver(vm_id vm);
  /// The host is gone with all its QEMUs; its streams break. Nobody hears an event there.
  void kill_node(const node_id& node);
  /// Every stream from or to the node breaks.
  void cut_streams(const node_id& node);
  /// Every stream from or to the node stands still for so long; nobody is told.
  void stall_streams(const node_id& node, nanoseconds how_long);
  /// The next stream of the VM: the target loads everything, the acknowledgement is lost, the
  /// source fails and runs on by itself.
  void lose_acknowledgement(vm_id vm);
  /// The next `count` QEMUs that should receive at the node do not start.
  void refuse_receive(const node_id& node, std::uint32_t count, const std::string& reason);
  /// From now on monitor commands and starts at the node take so many times longer.
  void slow_down(const node_id& node, std::uint32_t times);
  /// From now on a driver at the node hears so much later of what a QEMU has stamped.
  void hold_news(const node_id& node, nanoseconds how_long);

  // -- the truth, for checkers
  // ---------------------------------------------------------------------
  /// By VM, then by node.
  std::vector<sim_copy> copies() const;
  std::vector<sim_copy> copies(vm_id vm) const;
  /// The newest memory of a VM; 0 when it never ran.
  std::uint64_t newest_memory(vm_id vm) const;

  /// Whether somebody who brings this token to the door would be closed on. It stays as it is.
  bool is_turned_away(const listening& door, const std::string& token) const;

  /// Told of every change; set before the first start or never.
  std::function<void(const machine_changed&)> on_change;

private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

} // namespace drover
