// One VM's migration: the thin shell of the handover machine. Rule: it carries out the machine's
// commands as requests and feeds every answer, error and timer back as an event; it decides
// nothing.
#pragma once

#include "actors/protocol.hpp"

namespace drover {

/// Whom a migration works with.
struct migration_peers {
  lock_manager_handle locks;
  node_owner_handle source;
  node_owner_handle target;
  evacuation_handle job;
};

migration_handle spawn_migration(
  caf::actor_system& system, migration_order order, migration_peers peers, surroundings around);

} // namespace drover
