// The invariants, checked on the truth of a simulated world whenever a QEMU or a migration changes,
// and once more when all is calm. Rule: it reads what the drivers' worlds really hold, never what
// an agent believes; each violation names its invariant, its VM and its time. The invariants'
// numbers are explained in README.md.
#pragma once

#include "runtime/base/event_queue.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/hypervisor/sim_hypervisor.hpp"
#include "runtime/store/sim_store.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace drover {

enum class violation_kind : std::uint8_t {
  safety,   ///< something happened that must never happen
  liveness, ///< something did not happen although all was calm
};

struct violation {
  violation_kind kind = violation_kind::safety;
  std::uint32_t invariant = 0;
  vm_id vm; ///< 0 where it is not about one VM
  std::string text;
};

/// "invariant 1 (safety), VM 105: ...".
std::string to_string(const violation& v);

struct watched_parts {
  const event_queue& queue;
  const sim_store_cluster& store;
  const sim_machines& machines;
  const cluster_file& cluster;
};

class invariants final : public trace_sink {
public:
  explicit invariants(watched_parts parts) : parts_(parts) {}

  /// The VM is there from the beginning; `paused` ones stay so.
  void expect_vm(vm_id vm, const node_id& node, bool paused);
  /// A fault kills the VM's QEMU on this node: if its only good copy goes with it, the VM is lost
  /// to the fault and not to drover.
  void before_kill(vm_id vm, const node_id& node);
  void before_node_dies(const node_id& node);
  /// Somebody asked for this VM to move; the others stay untouched.
  void expect_move(vm_id vm) { asked_.insert(vm); }
  /// A new controller holds no permits of the old one.
  void controller_restarted();

  /// After each change of a QEMU.
  void on_change(const machine_changed& e);
  /// After each event of the production code.
  void take(const trace_event& event) override;
  /// How many migrations are where on their way: before_stream, streaming, window, after.
  std::map<std::string, std::uint64_t> stages() const;
  /// A store operation was inside a pause under `ticket`.
  void pause_disturbed(vm_id vm, const std::string& by);
  /// What was told of a pause does not hold the true one.
  void pause_misjudged(vm_id vm, const std::string& what);
  /// Every VM is where it belongs, and nothing is left over.
  bool is_settled() const;
  /// The lock manager holds or waits for something although nothing runs.
  void permits_leaked(std::uint32_t count);
  /// When all is calm: every VM where it belongs. `excused` VMs were reported as needs_operator.
  void check_at_the_end(const std::map<vm_id, std::string>& excused);

  const std::vector<violation>& found() const { return found_; }
  /// VMs that a fault destroyed.
  const std::set<vm_id>& lost_to_faults() const { return lost_; }
  /// VMs of which a copy stands paused although it should run; at the end.
  std::uint32_t stuck() const { return stuck_; }

private:
  struct vm_entry {
    node_id born_on;
    bool paused = false;
    std::string config;                      ///< as it was in the beginning
    std::map<node_id, std::uint64_t> memory; ///< of each copy, when last looked at
    std::uint64_t newest = 0;
  };
  struct held_by {
    node_id source;
    node_id target;
    std::string phase;
    bool streams = false; ///< counted in `streams_` and `windows_`
  };

  void say(violation_kind kind, std::uint32_t invariant, vm_id vm, std::string text);
  void check_copies(const machine_changed& e, const std::vector<sim_copy>& copies);
  void check_freed(const machine_changed& e, const std::vector<sim_copy>& copies);
  void count_stream(held_by& held);
  void uncount_stream(held_by& held);
  void check_permits();
  /// What is not as it should be when all is calm; empty = nothing.
  std::string unsettled(vm_id vm, const vm_entry& of) const;
  void check_end_of(vm_id vm, const vm_entry& of, const std::map<vm_id, std::string>& excused);

  watched_parts parts_;
  std::map<vm_id, vm_entry> vms_;
  std::set<vm_id> asked_;
  std::set<vm_id> lost_;
  std::set<std::pair<vm_id, node_id>> killed_;
  std::set<std::pair<vm_id, node_id>> good_; ///< copies that could run, when last looked at
  std::map<vm_id, held_by> holding_;
  std::map<node_id, std::uint32_t> streams_; ///< at each node now, of those in `holding_`
  std::set<node_id> grown_; ///< where a stream was added since the permits were checked
  std::uint32_t windows_ = 0;
  std::vector<violation> found_;
  std::set<std::string> said_;
  std::uint32_t stuck_ = 0;
};

} // namespace drover
