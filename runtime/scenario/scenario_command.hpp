// `drover run SCENARIO`: plays, prints, and exits with the run's code, or with 1 when the scenario
// was not passed.
#pragma once

#include "runtime/program/options.hpp"

namespace drover {

int run_scenario_command(const options& o, const run_options& c);

} // namespace drover
