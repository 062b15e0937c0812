// What a run has come to so far, VM by VM, as the live page and the report show it. Rule: a trace
// sink that only reads; whoever draws gets JSON of one moment, and asks later for what has changed
// since.
#pragma once

#include "runtime/base/trace.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace drover {

/// One step of a history: it grows with every event that changes what is shown.
using history_version = std::uint64_t;

class run_history final : public trace_sink {
public:
  /// Takes events from any thread.
  void take(const trace_event& event) override;

  history_version version() const;

  /// Everything, with the phases of each VM.
  nlohmann::ordered_json whole() const;

  /// The evacuations and nodes, and the VMs that have changed after `seen`, without their phases:
  /// what a page needs to go on from there. At most `vms_per_update_max` of them, those that
  /// changed first; "version" is what to ask with next time.
  nlohmann::ordered_json since(history_version seen) const;
  /// A VM that has ended takes up to 450 bytes; four updates a second stay below 200 kB.
  static constexpr std::size_t vms_per_update_max = 100;

  /// The evacuations alone, or the one of this id with its VMs; null where there is none.
  nlohmann::ordered_json evacuations() const;
  nlohmann::ordered_json evacuation(const std::string& id) const;

private:
  /// A VM that the plan left where it is; it has no phases.
  struct left_out {
    std::string kind;
    std::string reason;
  };

  struct vm_history {
    node_id source;
    node_id target;
    policy how = policy::ticket;
    std::string evacuation; ///< empty for a single migration
    std::vector<std::pair<std::string, wall_time>> phases;
    std::uint64_t memory_bytes = 0;
    std::uint64_t left_bytes = 0;
    std::uint32_t passes = 0;
    std::optional<double> barrier_s;
    std::optional<wall_time> resumed;
    std::optional<double> claim_s;
    std::optional<left_out> stays;
    std::optional<migration_ended> end;
    std::optional<wall_time> ended;
    history_version changed = 0;
  };

  struct evacuation_history {
    std::string id;
    node_id node;
    std::string state = "running";
    std::uint32_t vms = 0; ///< with those that the plan left out
    wall_time begun;
    std::optional<wall_time> ended;
  };

  struct node_history {
    std::int64_t vms = 0;
    std::string link;
  };

  void on(const link_changed& e);
  void on(const node_listed& e) { nodes_[e.node].vms = e.vms; }
  void on(const evacuation_started& e);
  void on(const evacuation_ended& e);
  void on(const vm_left_out& e);
  void on(const migration_planned& e);
  void on(const phase_changed& e);
  void on(const barrier_passed& e);
  void on(const stream_moved& e);
  void on(const pause_mark& e);
  void on(const migration_ended& e);
  template <class Other>
  void on(const Other&) {
    --version_; // Nothing that is shown.
  }

  void begin_evacuation(const node_id& node, std::uint32_t vms);
  /// Null where the event is about a VM that nobody planned to move.
  vm_history* vm_of(vm_id vm);
  nlohmann::ordered_json json_of(const evacuation_history& e) const;
  nlohmann::ordered_json json_of(vm_id vm, const vm_history& h) const;
  nlohmann::ordered_json frame() const;

  mutable std::mutex mutex_;
  history_version version_ = 0;
  wall_time now_;
  std::map<vm_id, vm_history> vms_;
  std::vector<evacuation_history> evacuations_;
  std::map<node_id, node_history> nodes_;
};

} // namespace drover
