// What all nodes say at one moment, and how a plan and a status are read from it. Rule: a node that
// does not answer is a fact of its own and never looks empty.
#pragma once

#include "actors/evacuation/plan.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/wire/message.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover {

struct survey {
  std::map<node_id, wire::vm_list> lists;
  std::map<node_id, std::string> unreachable; ///< with the reason
};

/// From the answers to `list_vms`.
survey survey_of(const std::map<node_id, result<wire::reply_body>>& answers);

/// For the trace: how many VMs each node holds.
void note_survey(trace_sink& trace, const survey& seen, wall_time now);

/// RAM of the guests that a node holds: those that run, are paused or are arriving.
std::uint64_t guest_memory_bytes(const wire::vm_list& list);

/// The cluster's nodes as the plan wants them.
std::vector<plan_node> plan_nodes(const cluster_file& cluster, const survey& seen);

/// The node whose QEMU runs `vm`, or whose directory holds its config; nullopt when none is seen.
std::optional<node_id> node_of(const survey& seen, vm_id vm);

std::string status_table(
  const cluster_file& cluster, const survey& seen, const std::optional<node_id>& only);
std::string status_json(
  const cluster_file& cluster, const survey& seen, const std::optional<node_id>& only);
std::string vm_table(const survey& seen, const std::optional<node_id>& only);
std::string vm_json(const survey& seen, const std::optional<node_id>& only);

} // namespace drover
