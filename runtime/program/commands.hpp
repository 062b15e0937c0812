// The commands of `drover`. Rule: each composes a fleet, a survey, a plan and what is printed;
// every one ends in an exit code of run_result.hpp.
#pragma once

#include "runtime/program/options.hpp"

namespace drover {

/// Carries out one command and returns the process's exit code.
int run_command(const options& o);

} // namespace drover
