// What is known of another host's clocks. Rule: plain data; `actors/nodes/node_clock` makes it,
// `actors/handover/pause_span` uses it.
//
// A host has two clocks: the monotonic one never jumps, the wall clock may be set. Their
// difference, the shift, changes only when somebody sets the wall clock: slewing moves both alike.
#pragma once

#include "runtime/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace drover {

/// Two crystals are apart by less than this, and so are they where one is slewed against the other.
inline constexpr std::int64_t drift_max_per_million = 100;
/// A shift that differs by less was read while the host was busy: two clocks cannot be read at one
/// moment.
inline constexpr milliseconds clock_jump_min{10};

/// Of a span on one crystal, what another one may show more or less.
inline nanoseconds drift_over(nanoseconds span) { return span / 1'000'000 * drift_max_per_million; }

/// Both clocks of one host, read at one moment.
struct clock_reading {
  mono_time monotonic;
  wall_time wall;
  nanoseconds shift() const { return wall.time_since_epoch() - monotonic.time_since_epoch(); }
};

struct clock_estimate {
  std::string boot_id; ///< of the host; within one boot of one host no estimate is needed
  nanoseconds ahead{}; ///< its monotonic clock before this host's
  nanoseconds error{}; ///< at most, since `read_at`; before that it has drifted as well
  nanoseconds shift{}; ///< when it was read last
  mono_time read_at{}; ///< the reading that tells `ahead`, by this host's clock
  /// When a reading last showed that the wall clock had been set since the one before.
  std::optional<mono_time> set_at{};
};

/// Whether somebody has set the wall clock between two readings.
inline bool was_set_between(nanoseconds shift, nanoseconds later_shift) {
  return shift - later_shift > clock_jump_min || later_shift - shift > clock_jump_min;
}

} // namespace drover
