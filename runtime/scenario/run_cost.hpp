// What a VM costs: the time of a run by the number of its VMs, beside a smaller run of the same
// kind. Rule: a plain value; who measures is the world's business. A cost that grows with the
// number of VMs is a loop that should not be there. Processor time tells that; wall time grows also
// when the host has other things to do.
#pragma once

#include <cstdint>

namespace drover {

struct run_cost {
  std::uint64_t vms = 0;
  double wall_s = 0;
  double processor_s = 0;

  double per_vm_ms(double run_cost::*time_s) const {
    return vms == 0 ? 0 : this->*time_s * 1000 / static_cast<double>(vms);
  }
};

struct cost_comparison {
  run_cost smaller;
  run_cost whole;

  /// How many times as much of this time a VM takes in the whole.
  double ratio(double run_cost::*time_s) const {
    const auto least = smaller.per_vm_ms(time_s);
    return least > 0 ? whole.per_vm_ms(time_s) / least : 0;
  }
};

} // namespace drover
