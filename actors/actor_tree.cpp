#include "actors/actor_tree.hpp"

#include "actors/locks/lock_manager_actor.hpp"
#include "actors/nodes/node_owner_actor.hpp"

namespace drover {

void configure_actors(caf::actor_system_config& config) {
  configure_lock_types(config);
  config.add_message_types<caf::id_block::drover_actors>();
  // Where the program does not bring a scheduler of its own (see runtime/program/link_scheduler).
  // Sharing wakes an idle actor sooner than stealing and costs nothing while idle. Two workers: the
  // shells are short, and one alone would stand behind a timer's burst.
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", std::size_t{2});
  config.set("scheduler.max-throughput", std::size_t{100});
}

actor_tree spawn_actor_tree(caf::actor_system& system, const tree_settings& settings) {
  lock_capacities capacities{
    {cluster_permit(), settings.cluster_max}, {window_permit(), settings.windows_max}};
  for (const auto& [node, limits] : settings.nodes) {
    capacities[outbound_permit(node)] = limits.prepare_max;
    capacities[inbound_permit(node)] = limits.inbound_max;
    capacities[stream_permit(node)] = limits.streams_max;
  }
  actor_tree tree;
  tree.locks = spawn_lock_manager(system, std::move(capacities));
  for (const auto& [node, its] : settings.nodes) {
    session::settings s;
    s.node = node;
    s.controller = settings.controller;
    s.id_prefix = settings.id_prefix + "-" + node.value;
    tree.owners[node] =
      spawn_node_owner(system, std::move(s), its.way, settings.around, settings.opening);
  }
  return tree;
}

} // namespace drover
