// How far another host's clock is from this one's, from questions and answers. Rule: pure; the
// sample of the shortest round trip counts, because its error cannot be more than half of that.
#pragma once

#include "runtime/base/time.hpp"

#include <optional>

namespace drover {

struct clock_offset {
  nanoseconds ahead; ///< of the other host's clock
  nanoseconds error; ///< at most
};

class clock_samples {
public:
  void asked(wall_time at) { asked_ = at; }
  void answered(wall_time at, wall_time other) {
    ++taken_;
    const nanoseconds half = (at - asked_) / 2;
    if (!best_ || half < best_->error)
      best_ = clock_offset{other - (asked_ + half), half};
  }
  unsigned taken() const { return taken_; }
  const std::optional<clock_offset>& best() const { return best_; }

private:
  wall_time asked_;
  unsigned taken_ = 0;
  std::optional<clock_offset> best_;
};

} // namespace drover
