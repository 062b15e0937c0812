// A scenario: a throw-away cluster, its VMs, what is done to it and what must come of it. Rule:
// parsed strictly and checked as a whole before anything is started; then a plain value. The format
// is told field by field in scenarios/README.md.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/guest/beacon_args.hpp"
#include "runtime/scenario/event_condition.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace drover {

struct scenario_node {
  std::uint64_t memory_bytes = 0;
  std::uint64_t reserve_bytes = 0;
  node_limits limits;
};

/// A run of beacon VMs with consecutive numbers.
struct scenario_vms {
  vm_id first;
  std::uint32_t count = 1;
  node_id node;
  beacon_settings settings;
  std::uint32_t migrate_speed_mb = 0;    ///< `migrate_speed:` of the config; 0 = no line
  std::uint32_t migrate_downtime_ms = 0; ///< `migrate_downtime:` of the config; 0 = no line
  bool paused = false;                   ///< paused before the first action, and to stay so
  std::uint64_t disk_bytes = 0;          ///< on the cluster's shared storage; 0 = no disk

  bool holds(vm_id vm) const { return vm.value >= first.value && vm.value - first.value < count; }
};

namespace action {

struct evacuate {
  node_id node;
  std::set<node_id> targets; ///< empty = every other node
  policy how = policy::ticket;
};

struct migrate {
  vm_id vm;
  node_id target;
  policy how = policy::ticket;
};

/// SIGKILL to the QEMU that receives this VM; nothing where none does.
struct kill_target_qemu {
  vm_id vm;
};

/// SIGKILL to a node's agent; its QEMUs run on, and the link starts a new agent.
struct kill_agent {
  node_id node;
};

/// What Ctrl-C does.
struct cancel {};

using any = std::variant<evacuate, migrate, kill_target_qemu, kill_agent, cancel>;

} // namespace action

/// One thing that is done, once: `after` the beginning (all VMs beat), or `after` the event.
struct scenario_action {
  std::optional<event_condition> when;
  milliseconds after{0};
  action::any what;
};

struct expected_stay {
  vm_id vm;
  std::string reason_contains;
};

/// What must come of it; absent = not judged. That every VM ends on one node, owned by it, and that
/// no action was left undone, is judged always.
struct scenario_expect {
  std::set<int> exit_codes;
  std::optional<std::string> result; ///< a word of run_result
  std::optional<std::uint32_t> moved;
  /// Exactly these stay, each with its reason.
  std::optional<std::vector<expected_stay>> stayed;
  std::uint64_t beats_lost = 0;
  std::uint64_t beats_doubled = 0;
  std::optional<double> duration_s_max;
  /// Of all pauses together, from the trace; 0 is what the policy ticket promises.
  std::optional<std::uint32_t> store_operations_in_pause_max;
  bool untouched = false; ///< no config, no record, no QEMU was changed
  std::map<vm_id, node_id> on_node;
  std::map<node_id, std::uint32_t> vms_on; ///< how many VMs run on a node at the end
};

struct scenario_file {
  std::string name; ///< the file's, without folder and ending
  std::string why;
  std::uint32_t deadline_s = 120; ///< of the whole run
  std::string accel = "tcg";
  std::map<node_id, scenario_node> nodes;
  cluster_limits limits;
  std::vector<scenario_vms> vms;
  std::vector<scenario_action> actions;
  scenario_expect expect;
};

/// `origin` names the file in errors: "demo.json: /vms/0/node: expected ...".
result<scenario_file> parse_scenario_file(std::string_view text, const std::string& origin);

result<scenario_file> read_scenario_file(const std::filesystem::path& path);

/// The scenario's cluster as `room` holds it: room/store, room/<node>, room/disks (shared).
cluster_file local_cluster(const scenario_file& scenario, const std::filesystem::path& room);

} // namespace drover
