// `drover run SCENARIO|FOLDER`: reads, chooses the world and plays there. Rule: every file is read
// and every objection is told before anything is played.
#pragma once

#include "runtime/program/options.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <functional>
#include <vector>

namespace drover {

/// Plays scenarios one after the other and prints; the exit code.
using scenario_runner =
  std::function<int(const options& o, const run_options& c, const std::vector<scenario_file>&)>;

/// `simulated` plays what belongs into the simulated world; it stands above this library. The code
/// of one scenario is its run's, or 1 when it was not passed; of several, 1 unless all passed.
int run_scenario_command(
  const options& o, const run_options& c, const scenario_runner& simulated = {});

} // namespace drover
