// What is known of another host's clocks. Rule: plain data; `actors/nodes/node_clock` makes it,
// `actors/handover/pause_span` uses it.
//
// A host has two clocks: the monotonic one never jumps, the wall clock may be set. Their
// difference, the shift, changes only when somebody sets the wall clock: slewing moves both alike.
#pragma once

#include "runtime/base/time.hpp"

#include <string>

namespace drover {

/// Both clocks of one host, read at one moment.
struct clock_reading {
  mono_time monotonic;
  wall_time wall;
  nanoseconds shift() const { return wall.time_since_epoch() - monotonic.time_since_epoch(); }
};

struct clock_estimate {
  std::string boot_id; ///< of the host; within one boot of one host no estimate is needed
  nanoseconds ahead{}; ///< its monotonic clock before this host's
  nanoseconds error{}; ///< at most
  nanoseconds shift{}; ///< when it was read last
};

} // namespace drover
