#include "runtime/cluster/byte_size.hpp"
#include "runtime/program/survey.hpp"
#include "runtime/program/unfinished.hpp"

#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

bool shown(const node_id& node, const std::optional<node_id>& only) {
  return !only || *only == node;
}

std::size_t running_vms(const wire::vm_list& list) {
  std::size_t n = 0;
  for (const auto& e : list.vms)
    n += e.state == wire::run_state::running || e.state == wire::run_state::paused ? 1U : 0U;
  return n;
}

} // namespace

std::string status_table(
  const cluster_file& cluster, const survey& seen, const std::optional<node_id>& only) {
  std::string out;
  auto into = std::back_inserter(out);
  fmt::format_to(
    into, "{:<14} {:<12} {:>5} {:>22}  {}\n", "NODE", "STATE", "VMS", "GUEST MEMORY", "CORDON");
  for (const auto& [id, node] : cluster.nodes) {
    if (!shown(id, only))
      continue;
    const auto list = seen.lists.find(id);
    if (list == seen.lists.end()) {
      const auto why = seen.unreachable.find(id);
      fmt::format_to(
        into, "{:<14} {:<12} {}\n", id.value, "unreachable",
        why == seen.unreachable.end() ? "was not asked" : why->second);
      continue;
    }
    fmt::format_to(
      into, "{:<14} {:<12} {:>5} {:>22}  {}\n", id.value, "up", running_vms(list->second),
      format_byte_size(guest_memory_bytes(list->second)) + " of " +
        format_byte_size(node.memory_bytes),
      list->second.cordon.empty() ? "-" : list->second.cordon);
  }
  const auto unfinished = unfinished_of(seen.lists);
  if (unfinished.empty())
    out += "nothing is unfinished\n";
  for (const auto& u : unfinished)
    fmt::format_to(into, "unfinished: VM {}: {}\n", u.vm.value, u.what);
  return out;
}

std::string status_json(
  const cluster_file& cluster, const survey& seen, const std::optional<node_id>& only) {
  ordered_json nodes = ordered_json::array();
  for (const auto& [id, node] : cluster.nodes) {
    if (!shown(id, only))
      continue;
    const auto list = seen.lists.find(id);
    const auto why = seen.unreachable.find(id);
    ordered_json n = {
      {"node", id.value},
      {"reachable", list != seen.lists.end()},
      {"reason", why == seen.unreachable.end() ? "" : why->second},
      {"memory_bytes", node.memory_bytes}};
    if (list != seen.lists.end()) {
      n["vms"] = running_vms(list->second);
      n["guest_memory_bytes"] = guest_memory_bytes(list->second);
      n["cordon"] = list->second.cordon;
    }
    nodes.push_back(std::move(n));
  }
  ordered_json unfinished = ordered_json::array();
  for (const auto& u : unfinished_of(seen.lists))
    unfinished.push_back({{"vmid", u.vm.value}, {"what", u.what}});
  return ordered_json{{"cluster", cluster.name}, {"nodes", nodes}, {"unfinished", unfinished}}.dump(
           2) +
         "\n";
}

std::string vm_table(const survey& seen, const std::optional<node_id>& only) {
  std::string out;
  auto into = std::back_inserter(out);
  fmt::format_to(
    into, "{:>9}  {:<20} {:<14} {:<12} {:>10}  {}\n", "VMID", "NAME", "NODE", "STATE", "MEMORY",
    "LOCK");
  for (const auto& [node, list] : seen.lists) {
    if (!shown(node, only))
      continue;
    for (const auto& e : list.vms)
      fmt::format_to(
        into, "{:>9}  {:<20} {:<14} {:<12} {:>10}  {}\n", e.vm.value, e.name, node.value,
        e.state == wire::run_state::absent ? std::string_view{"stopped"} : to_string(e.state),
        format_byte_size(e.memory_bytes), e.lock.empty() ? "-" : e.lock);
  }
  for (const auto& [node, why] : seen.unreachable)
    if (shown(node, only))
      fmt::format_to(into, "node {} does not answer: {}\n", node.value, why);
  return out;
}

std::string vm_json(const survey& seen, const std::optional<node_id>& only) {
  ordered_json vms = ordered_json::array();
  for (const auto& [node, list] : seen.lists) {
    if (!shown(node, only))
      continue;
    for (const auto& e : list.vms)
      vms.push_back(
        {{"vmid", e.vm.value},
         {"name", e.name},
         {"node", node.value},
         {"state", std::string{to_string(e.state)}},
         {"config_here", e.config_here},
         {"memory_bytes", e.memory_bytes},
         {"lock", e.lock},
         {"tags", e.tags},
         {"blockers", e.blockers},
         {"epoch", e.record_epoch.value},
         {"record", std::string{to_string(e.record)}}});
  }
  ordered_json unreachable = ordered_json::array();
  for (const auto& [node, why] : seen.unreachable)
    if (shown(node, only))
      unreachable.push_back({{"node", node.value}, {"reason", why}});
  return ordered_json{{"vms", vms}, {"unreachable", unreachable}}.dump(2) + "\n";
}

} // namespace drover
