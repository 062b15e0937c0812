#include "runtime/program/survey.hpp"

namespace drover {

survey survey_of(const std::map<node_id, result<wire::reply_body>>& answers) {
  survey seen;
  for (const auto& [node, answer] : answers) {
    if (!answer)
      seen.unreachable[node] = to_string(answer.error());
    else if (const auto* list = std::get_if<wire::vm_list>(&*answer))
      seen.lists[node] = *list;
    else
      seen.unreachable[node] = "answered something else than its VMs";
  }
  return seen;
}

void note_survey(trace_sink& trace, const survey& seen, wall_time now) {
  for (const auto& [node, list] : seen.lists)
    trace.take({now, node_listed{node, static_cast<std::uint32_t>(list.vms.size())}});
}

std::uint64_t guest_memory_bytes(const wire::vm_list& list) {
  std::uint64_t bytes = 0;
  for (const auto& e : list.vms)
    if (e.state != wire::run_state::absent)
      bytes += e.memory_bytes;
  return bytes;
}

std::vector<plan_node> plan_nodes(const cluster_file& cluster, const survey& seen) {
  std::vector<plan_node> nodes;
  for (const auto& [id, node] : cluster.nodes) {
    plan_node p;
    p.node = id;
    p.memory_bytes = node.memory_bytes;
    p.reserve_bytes = node.reserve_bytes;
    if (const auto list = seen.lists.find(id); list != seen.lists.end()) {
      p.used_bytes = guest_memory_bytes(list->second);
      p.cordon = list->second.cordon;
      p.encryption_objection = list->second.encryption_objection.value_or("");
    } else if (const auto why = seen.unreachable.find(id); why != seen.unreachable.end()) {
      p.unreachable = why->second;
    } else {
      p.unreachable = "was not asked";
    }
    nodes.push_back(std::move(p));
  }
  return nodes;
}

std::optional<node_id> node_of(const survey& seen, vm_id vm) {
  std::optional<node_id> holder;
  for (const auto& [node, list] : seen.lists)
    for (const auto& e : list.vms) {
      if (e.vm == vm && e.state == wire::run_state::running)
        return node;
      if (e.vm == vm && e.config_here)
        holder = node;
    }
  return holder;
}

} // namespace drover
