#include "runtime/agent/bandwidth_shares.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace drover {

bandwidth_by_vm bandwidth_shares(std::uint64_t whole, const bandwidth_by_vm& at_most) {
  if (whole == 0)
    return at_most;
  constexpr auto no_cap = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::pair<std::uint64_t, vm_id>> by_cap;
  for (const auto& [vm, cap] : at_most)
    by_cap.emplace_back(cap == 0 ? no_cap : cap, vm);
  // The most modest first: what it leaves over is divided among those who come after it.
  std::sort(by_cap.begin(), by_cap.end());
  bandwidth_by_vm shares;
  auto streams_left = by_cap.size();
  for (const auto& [cap, vm] : by_cap) {
    const auto even = whole / streams_left--;
    const auto share = std::min(cap, even);
    whole -= share;
    // 0 would be no limit at all.
    shares[vm] = std::max<std::uint64_t>(share, 1);
  }
  return shares;
}

} // namespace drover
