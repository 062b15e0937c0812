// The clock of an actor: the actor system's, so that a simulation can stand in its place.
#pragma once

#include "runtime/base/time.hpp"

#include <caf/local_actor.hpp>

namespace drover {

inline mono_time actor_now(const caf::local_actor& self) {
  return mono_time{std::chrono::duration_cast<nanoseconds>(self.clock().now().time_since_epoch())};
}

} // namespace drover
