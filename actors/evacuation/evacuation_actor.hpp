// The job that carries out a plan: cordons the node, spawns one migration per VM, counts how they
// end, lifts the cordon. Rule: which VM goes where was decided by plan.hpp; a migration that dies
// without a word is reported as needing an operator, never as forgotten.
#pragma once

#include "actors/protocol.hpp"

namespace drover {

struct evacuation_peers {
  lock_manager_handle locks;
  std::map<node_id, node_owner_handle> owners;
};

evacuation_handle spawn_evacuation(
  caf::actor_system& system, evacuation_peers peers, surroundings around);

} // namespace drover
