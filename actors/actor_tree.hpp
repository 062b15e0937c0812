// Spawns the actors that last as long as the program: the lock manager and one owner per node.
// Rule: it is given the links and the limits, and cannot tell a real world from a simulated one.
#pragma once

#include "actors/evacuation/evacuation_actor.hpp"
#include "actors/protocol.hpp"
#include "runtime/link/link.hpp"

#include <map>
#include <string>

namespace drover {

/// One node of the tree and its permits.
struct tree_node {
  link_ptr way;
  std::uint32_t prepare_max = 8;
  std::uint32_t inbound_max = 8;
  std::uint32_t streams_max = 2;
};

struct tree_settings {
  std::string controller; ///< for people: "user@host:pid"
  std::string id_prefix;  ///< of request ids; unique among all controllers, now and later
  std::map<node_id, tree_node> nodes;
  std::uint32_t cluster_max = 32;
  std::uint32_t windows_max = 4;
  surroundings around;
  link_opening opening = link_opening::at_once;
};

struct actor_tree {
  lock_manager_handle locks;
  std::map<node_id, node_owner_handle> owners;
};

/// Types and scheduler of every actor system that runs drover's actors.
void configure_actors(caf::actor_system_config& config);

actor_tree spawn_actor_tree(caf::actor_system& system, const tree_settings& settings);

} // namespace drover
