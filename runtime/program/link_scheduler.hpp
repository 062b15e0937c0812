// Runs the actors on the thread of the links. A line that comes in, the actors that decide on it
// and the line that goes out are one wake-up then, and nobody hands anything over in a pause: with
// threads of their own each hand-over costs a wake-up, and on a busy host each wake-up may wait for
// a processor. Rule: actors never block, so one thread is enough for all of them.
//
//   link.line -> anon_send -> ready -+-> actor -> request -> ready -> actor -> link.send
//   other threads, timers -----------+       (until nothing is ready, then the links again)
#pragma once

#include "runtime/link/link_loop.hpp"

#include <caf/actor_system_config.hpp>
#include <memory>

namespace drover {

/// Systems of this config run their actors on that thread; it outlives them.
void run_actors_on(caf::actor_system_config& config, std::shared_ptr<link_loop> loop);

} // namespace drover
