// How long it is from a moment on one host to a moment on another, by what is known of their
// clocks. Rule: pure; where a clock was set meanwhile, or is not known, there is no figure.
#pragma once

#include "runtime/base/clock_estimate.hpp"
#include "runtime/base/ids.hpp"

#include <optional>
#include <string>

namespace drover {

/// QEMU stamps in microseconds, and so does the agent read the wall clock.
inline constexpr std::chrono::microseconds stamp_grain{1};

/// A time stamp of QEMU, which uses the wall clock.
struct host_moment {
  node_id node;
  std::optional<wall_time> at;
  /// Wall clock less monotonic clock, as the agent read them when it happened; absent: the agent
  /// was away, or is too old to tell.
  std::optional<nanoseconds> shift;
  std::optional<clock_estimate> clock;
};

struct pause_span {
  std::optional<double> length_s;
  double error_s = 0;  ///< at most; of `length_s`
  std::string unknown; ///< why there is no length although both moments are there
};

/// `since` is when the migration began, by this host's clock: a clock that was seen to be set after
/// that may have been set between a stamp and the agent's look at its clocks.
pause_span span_between(const host_moment& begin, const host_moment& end, mono_time since);

} // namespace drover
