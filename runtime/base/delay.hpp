// How long something takes in a simulation: a range with a rare, slow tail. Rule: a plain value;
// what it draws depends on the luck alone.
#pragma once

#include "runtime/base/luck.hpp"
#include "runtime/base/time.hpp"

#include <cstdint>

namespace drover {

/// Between `least` and `most`, evenly; `slow_per_million` of the draws lie between `most` and
/// `slow_most` instead.
struct delay_range {
  nanoseconds least{0};
  nanoseconds most{0};
  std::uint32_t slow_per_million = 0;
  nanoseconds slow_most{0};

  nanoseconds draw(luck& chance) const {
    const bool slow = slow_per_million > 0 && chance.chance(slow_per_million);
    const auto from = slow ? most : least;
    const auto to = slow ? slow_most : most;
    if (to <= from)
      return from;
    const auto width = static_cast<std::uint64_t>((to - from).count());
    return from + nanoseconds{static_cast<std::int64_t>(chance.below(width + 1))};
  }
  bool operator==(const delay_range&) const = default;
};

/// Always the same.
inline delay_range exactly(nanoseconds time) { return {time, time, 0, {}}; }

} // namespace drover
