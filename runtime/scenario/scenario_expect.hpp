// What must come of a scenario. Rule: what is absent is not judged; that every VM ends on one node,
// owned by it, that no action was left undone, that no VM is stuck and no invariant was violated is
// judged always.
#pragma once

#include "runtime/base/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover {

struct expected_stay {
  vm_id vm;
  std::string reason_contains;
};

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
  std::optional<double> pause_p50_ms_max;
  std::optional<double> pause_p99_ms_max;
  std::optional<double> pause_max_ms;
  /// Resumes that reached a target whose own view did not show it as the owner yet.
  std::optional<std::uint32_t> races; ///< exactly
  std::optional<std::uint32_t> races_min;
  /// VMs that moved and of whose pause no figure is told; exactly.
  std::optional<std::uint32_t> pauses_unknown;
  std::uint32_t stuck = 0;      ///< VMs that no node runs although a copy stands paused; exactly
  std::uint32_t violations = 0; ///< of the invariants, as the checkers tell; exactly
  bool golden = false;    ///< the simulated trace equals NAME.POLICY.trace beside the scenario
  bool untouched = false; ///< no config, no record, no QEMU was changed
  std::map<vm_id, node_id> on_node;
  std::map<node_id, std::uint32_t> vms_on; ///< how many VMs run on a node at the end
};

} // namespace drover
