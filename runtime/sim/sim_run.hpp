// The simulated half of `drover run`: one seed with its trace and golden file, many seeds as a
// campaign, or every policy side by side. Rule: what a failed seed needs to be played again is
// printed with it.
#pragma once

#include "runtime/program/options.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <vector>

namespace drover {

/// The exit code: that of the run when everything passed, 1 where something that a scenario states
/// did not come, 10 for a violated invariant, 11 for what never settled, 12 for a crash.
int run_in_sim(const options& o, const run_options& c, const std::vector<scenario_file>& scenarios);

} // namespace drover
