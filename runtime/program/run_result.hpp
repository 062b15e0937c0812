// What a command that moves VMs tells at its end: one value, printed as a table or as JSON, and its
// exit code. Rule: pure; a VM that did not move always shows, with its reason, also in the code.
#pragma once

#include "actors/evacuation/plan.hpp"
#include "actors/protocol.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drover {

/// The exit codes of every command.
enum class outcome_code : int {
  all_moved = 0,
  usage_or_internal = 1,
  some_stayed = 2,
  infeasible = 3,
  cancelled = 4,
  deadline_passed = 5,
  needs_operator = 6,
};

std::string_view to_string(outcome_code code);

/// p50 and p99 by nearest rank; absent without a single value.
struct distribution {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
};

std::optional<distribution> distribution_of(std::vector<double> values);

struct stayed_vm {
  vm_id vm;
  std::string reason;
};

struct run_result {
  outcome_code code = outcome_code::all_moved;
  std::string id;      ///< under which it is kept for `drover report`; empty = it is not
  std::string message; ///< why nothing was started, or empty
  std::vector<migration_result> migrations;
  std::vector<stayed_vm> stayed; ///< by vmid; includes what needs an operator
  std::uint32_t moved = 0;
  double duration_s = 0;
  std::optional<distribution> pause;
  std::optional<distribution> blackout;
  std::optional<distribution> handover;
};

/// Of a plan that was carried out.
run_result result_of(const plan& p, const evacuation_report& report);
/// Of a plan that cannot be: nothing was started.
run_result result_of_infeasible(const plan& p);

/// Of several that ran side by side: the sum, with the worst code.
run_result combined(const std::vector<run_result>& all);

std::string to_json(const run_result& r);
/// For people; ends with a newline.
std::string to_table(const run_result& r);

} // namespace drover
