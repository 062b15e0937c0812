// The lock manager: the one actor behind which all VM locks and permits live, so that a limit
// cannot be exceeded by two who looked at the same time. Rule: it only carries out what the
// lock_table decides. Its messages are in lock_protocol.hpp.
#pragma once

#include "actors/locks/lock_protocol.hpp"

#include <map>

namespace drover {

/// The permits there are at the start; a VM's lock needs no entry.
using lock_capacities = std::map<resource, std::uint32_t>;

lock_manager_handle spawn_lock_manager(caf::actor_system& system, lock_capacities capacities);

/// The lock manager's messages, for the actor system's config.
void configure_lock_types(caf::actor_system_config& config);

} // namespace drover
