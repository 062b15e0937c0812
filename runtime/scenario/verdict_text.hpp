// What `drover run` tells of one run. Rule: pure; the result of the commands with what was seen
// from outside and what was wrong.
#pragma once

#include "runtime/scenario/run_cost.hpp"
#include "runtime/scenario/scenario_judge.hpp"

#include <optional>
#include <string>
#include <vector>

namespace drover {

struct scenario_verdict {
  played_scenario played;
  std::vector<std::string> wrong;                     ///< empty = passed
  std::optional<cost_comparison> cost = std::nullopt; ///< where the scenario asks for it
};

/// The run's own code, or 1 when the scenario was not passed.
int exit_code_of(const scenario_verdict& v);

std::string to_json(const scenario_file& scenario, const scenario_verdict& v);
/// For people; ends with a newline.
std::string to_table(const scenario_file& scenario, const scenario_verdict& v);

} // namespace drover
