// Many VMs on one machine, many of them leaving one of four nodes, all asked at once: does any
// fail, and do their pauses grow with their number? Rule: as many VMs run in either case, so that
// what differs is how many move.
#pragma once

#include <nlohmann/json.hpp>

namespace drover::bench {

struct scale_sizes {
  int running = 500;
  int few = 100;
  int many = 250;
};

/// Prints a row for each number, with drover's own limits and with all prepared ahead; throws when
/// a VM does not move.
nlohmann::ordered_json measure_scale(const scale_sizes& sizes, int rounds);

} // namespace drover::bench
