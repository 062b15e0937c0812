// What a VM costs in memory: the controller's for each migration that waits, the agent's for each
// VM that it looks after. Rule: of whole processes as an operator runs them; a figure is the growth
// of a peak between few and many VMs, divided by the difference.
#pragma once

#include <nlohmann/json.hpp>

namespace drover::bench {

struct memory_sizes {
  int waiting_few = 1000;
  /// One node's list of VMs has to fit into a line of the protocol, which holds some 5,000.
  int waiting_many = 4000;
  int vms_few = 10;
  int vms_many = 200;
};

/// Prints a line for each; returns them for `--json`.
nlohmann::ordered_json measure_memory(const memory_sizes& sizes);

} // namespace drover::bench
