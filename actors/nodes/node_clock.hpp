// How far another host's monotonic clock is from this one's, from questions and answers. Rule:
// pure.
//
//   asked ----------------> read        The reading lies somewhere between asked and answered;
//   taken
//         <---------------- answered    to be in the middle, it is wrong by half of that at most.
//
// So the sample of the shortest way counts. An old one counts less: two clocks drift apart.
#pragma once

#include "runtime/base/clock_estimate.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace drover {

class node_clock {
public:
  /// A reading of a host that has booted anew drops all earlier ones.
  void answered(
    mono_time asked, mono_time at, const std::string& boot_id, const clock_reading& reading);
  /// Nothing before the first reading.
  std::optional<clock_estimate> estimate(mono_time now) const;

private:
  static constexpr std::size_t samples_max = 16;
  struct sample {
    mono_time at;
    nanoseconds ahead;
    nanoseconds error;
  };
  static nanoseconds error_now(const sample& s, mono_time now);

  std::string boot_id_;
  nanoseconds shift_{};
  std::optional<mono_time> set_at_; ///< when that was last seen to be another
  std::deque<sample> samples_;      ///< the newest last
};

} // namespace drover
