// Feels how busy the actors are: once a second it notes how late its own timer came, how long a
// question stood in the lock manager's mailbox, and how many permits are held. Rule: it only asks
// and notes; programs that are watched spawn it, nothing depends on it.
#pragma once

#include "actors/protocol.hpp"

namespace drover {

/// Ends by `end_pulse`, after one more look.
pulse_handle spawn_pulse(
  caf::actor_system& system, lock_manager_handle locks, surroundings around, nanoseconds interval);

} // namespace drover
