#include "runtime/program/planning.hpp"

namespace drover {

std::optional<error> unknown_node(const cluster_file& cluster, const node_id& node) {
  if (cluster.nodes.contains(node))
    return std::nullopt;
  std::string names;
  for (const auto& [id, n] : cluster.nodes)
    names += (names.empty() ? "" : ", ") + id.value;
  return error{
    errc::invalid, "there is no node '" + node.value + "'; the cluster has " + names, {}};
}

result<plan> plan_of(const cluster_file& cluster, const survey& seen, const departure& what) {
  if (auto unknown = unknown_node(cluster, what.source))
    return tl::unexpected(*unknown);
  for (const auto& t : what.targets)
    if (auto unknown = unknown_node(cluster, t))
      return tl::unexpected(*unknown);
  const auto list = seen.lists.find(what.source);
  if (list == seen.lists.end()) {
    const auto why = seen.unreachable.find(what.source);
    return fail(
      errc::lost, what.source.value + " does not answer",
      why == seen.unreachable.end() ? "it was not asked" : why->second);
  }
  plan_request request;
  request.source = what.source;
  request.nodes = plan_nodes(cluster, seen);
  request.targets = {what.targets.begin(), what.targets.end()};
  request.how = what.how;
  request.kind = cluster.stream;
  request.channels = cluster.channels;
  request.wanted = what.wanted;
  const auto is_asked = [&what](vm_id vm) {
    return (!what.only || vm == *what.only) && (!what.among || what.among->contains(vm));
  };
  for (const auto& e : list->second.vms)
    if (is_asked(e.vm))
      request.vms.push_back(e);
  return make_plan(request);
}

void note_plan(
  trace_sink& trace, const plan& p, const std::optional<node_id>& cordon, wall_time now) {
  for (const auto& s : p.stays)
    trace.take({now, vm_left_out{s.vm, p.source, std::string{to_string(s.kind)}, s.reason}});
  if (!p.feasible && cordon)
    trace.take(
      {now,
       evacuation_ended{*cordon, "infeasible", 0, static_cast<std::uint32_t>(p.stays.size())}});
}

evacuation_order order_of(
  const plan& p, const std::string& controller, const std::optional<node_id>& cordon) {
  evacuation_order order;
  order.cordon = cordon;
  for (const auto& s : p.steps) {
    migration_order m;
    m.vm = s.vm;
    m.source = s.source;
    m.target = s.target;
    m.how = p.how;
    m.kind = p.kind;
    m.channels = p.channels;
    m.controller = controller;
    m.memory_bytes = s.bytes;
    order.migrations.push_back(std::move(m));
  }
  return order;
}

} // namespace drover
