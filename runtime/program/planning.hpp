// From what the nodes say to an order for the evacuation actor. Rule: pure; commands and scenarios
// plan by the same lines.
#pragma once

#include "actors/evacuation/plan.hpp"
#include "actors/protocol.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/program/survey.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover {

/// What is to leave a node, and where it may go.
struct departure {
  node_id source;
  std::vector<node_id> targets; ///< empty = every other node
  policy how = policy::ticket;
  std::optional<vm_id> only; ///< nullopt = every VM
  /// Only these; nullopt = every VM.
  std::optional<std::set<vm_id>> among{};
  /// Where an older plan has them go; kept if all of them still fit there.
  std::map<vm_id, node_id> wanted{};
};

/// `invalid` for a node that the cluster has not, naming those it has.
std::optional<error> unknown_node(const cluster_file& cluster, const node_id& node);

/// `invalid` as above; `lost` when the source does not answer.
result<plan> plan_of(const cluster_file& cluster, const survey& seen, const departure& what);

/// For the trace: what the plan leaves where it is, and that it cannot be carried out at all.
/// `cordon` as below.
void note_plan(
  trace_sink& trace, const plan& p, const std::optional<node_id>& cordon, wall_time now);

/// `cordon`: the node that takes no VM meanwhile; nullopt for a single migration.
evacuation_order order_of(
  const plan& p, const std::string& controller, const std::optional<node_id>& cordon);

} // namespace drover
