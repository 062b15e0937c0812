// Plays scenarios on real agents and QEMUs, one after the other, and prints what came of it. Rule:
// the local half of `drover run`; what is printed and judged is made elsewhere.
#pragma once

#include "runtime/program/options.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <vector>

namespace drover {

/// The exit code; every scenario can be played in the local world.
int run_in_local_world(
  const options& o, const run_options& c, const std::vector<scenario_file>& scenarios);

} // namespace drover
