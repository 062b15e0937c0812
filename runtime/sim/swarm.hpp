// Draws a scenario from a seed: cluster, VMs, policy, load and bad luck, each seed its own mixture.
// Rule: pure; what comes out is a plain scenario without `random`, so that a seed is played, read
// and replayed like any other.
#pragma once

#include "runtime/scenario/scenario_file.hpp"

#include <cstdint>

namespace drover {

/// The same scenario when it draws nothing.
scenario_file drawn(const scenario_file& scenario, std::uint64_t seed);

} // namespace drover
