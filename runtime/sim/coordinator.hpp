// Stands in the place of CAF's scheduler: actors run one message at a time, when the world says so,
// in the order that luck chooses, on virtual time. Rule: the world and this share one clock, and no
// thread but the world's comes near.
#pragma once

#include "runtime/base/event_queue.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/base/time.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <cstddef>
#include <optional>

namespace drover {

class sim_coordinator {
public:
  /// Makes systems of this config run in `world`; the queue outlives them.
  static void install(caf::actor_system_config& config, const event_queue& world);
  static sim_coordinator& of(caf::actor_system& system);

  virtual ~sim_coordinator() = default;
  /// Actors that have a message to handle.
  virtual std::size_t ready() const = 0;
  /// One message of the `which`-th of them.
  virtual void step(std::size_t which) = 0;
  /// When the earliest timer is due; nullopt when none is armed.
  virtual std::optional<mono_time> next_timer() const = 0;
  /// Hands out the timers that are due at the world's present time.
  virtual void fire_timers() = 0;
};

} // namespace drover
