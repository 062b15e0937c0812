#include "actors/evacuation/plan.hpp"

#include "runtime/cluster/byte_size.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace drover {
namespace {

constexpr std::array<std::pair<plan_order, std::string_view>, 3> order_names{{
  {plan_order::largest_first, "largest_first"},
  {plan_order::smallest_first, "smallest_first"},
  {plan_order::by_id, "by_id"},
}};

constexpr std::array<std::pair<stay_kind, std::string_view>, 4> stay_names{{
  {stay_kind::stopped, "stopped"},
  {stay_kind::blocked, "blocked"},
  {stay_kind::no_room, "no_room"},
  {stay_kind::held_back, "held_back"},
}};

using wire::vm_entry;
using free_memory = std::map<node_id, std::uint64_t>;
/// Where each VM goes; one without an entry has no place.
using placement = std::map<vm_id, node_id>;

enum class fit : std::uint8_t {
  /// Onto the node with the most free memory: evens out the load.
  spread,
  /// Onto the fullest node that still has room: keeps large holes for large VMs.
  pack,
};

std::uint64_t used(const plan_node& n) { return n.used_bytes + n.incoming_bytes; }

std::uint64_t free_bytes(const plan_node& n) {
  const auto taken = used(n) + n.reserve_bytes;
  return taken >= n.memory_bytes ? 0 : n.memory_bytes - taken;
}

std::string known_nodes(const plan_request& request) {
  std::set<std::string> names;
  for (const auto& n : request.nodes)
    names.insert(n.node.value);
  std::string text;
  for (const auto& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

constexpr const char* plain_hint =
  "; --stream plain would send guest memory in the clear, over a trusted network";

/// An encrypted stream has two ends: with this source there is none.
std::optional<error> source_objection(const plan_request& request) {
  for (const auto& n : request.nodes)
    if (
      n.node == request.source && request.kind == stream_kind::tls &&
      !n.encryption_objection.empty())
      return error{
        errc::refused,
        "no VM leaves " + n.node.value + " encrypted: " + n.encryption_objection + plain_hint,
        {}};
  return std::nullopt;
}

std::optional<error> objection(const plan_request& request) {
  std::set<node_id> names;
  for (const auto& n : request.nodes)
    if (!names.insert(n.node).second)
      return error{errc::invalid, "the node is listed twice", n.node.value};
  const auto unknown = [&](const node_id& n) {
    return error{
      errc::invalid, "there is no node " + n.value + " in the cluster",
      "nodes: " + known_nodes(request)};
  };
  if (!names.contains(request.source))
    return unknown(request.source);
  for (const auto& n : request.targets) {
    if (!names.contains(n))
      return unknown(n);
    if (n == request.source)
      return error{errc::invalid, "a node cannot be evacuated to itself", n.value};
  }
  std::set<vm_id> vms;
  for (const auto& v : request.vms)
    if (!vms.insert(v.vm).second)
      return error{errc::invalid, "the VM is listed twice", to_string(v.vm)};
  return source_objection(request);
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts)
    all += (all.empty() ? "" : "; ") + text;
  return all;
}

/// Why a VM stays whatever room there is; nullopt = it can move.
std::optional<plan_stay> reason_to_stay(const vm_entry& v) {
  const auto stay = [&](stay_kind kind, std::string reason) {
    return plan_stay{v.vm, v.name, v.memory_bytes, kind, std::move(reason)};
  };
  if (v.record == record_state::moving)
    return stay(
      stay_kind::blocked, "an earlier handover is unfinished (epoch " + to_string(v.record_epoch) +
                            ", " + v.record_source.value + " to " + v.record_target.value + ")");
  if (!v.config_here)
    return stay(stay_kind::blocked, "its QEMU is here but its config is on another node");
  if (v.state == wire::run_state::absent)
    return stay(stay_kind::stopped, "stopped");
  if (v.state != wire::run_state::running && v.state != wire::run_state::paused)
    return stay(
      stay_kind::blocked,
      "its QEMU is neither running nor paused (" + std::string(to_string(v.state)) + ")");
  if (!v.lock.empty())
    return stay(stay_kind::blocked, "its config is locked (" + v.lock + ")");
  if (!v.blockers.empty())
    return stay(stay_kind::blocked, joined(v.blockers));
  return std::nullopt;
}

/// Nodes that may take VMs, with their free memory; the others go to `excluded`.
free_memory usable_targets(const plan_request& request, plan& p) {
  free_memory targets;
  for (const auto& n : request.nodes) {
    if (n.node == request.source)
      continue;
    if (!request.targets.empty() && !request.targets.contains(n.node))
      continue;
    if (!n.unreachable.empty())
      p.excluded.push_back({n.node, "its agent does not answer: " + n.unreachable});
    else if (request.kind == stream_kind::tls && !n.encryption_objection.empty())
      p.excluded.push_back({n.node, n.encryption_objection + plain_hint});
    else if (!n.cordon.empty())
      p.excluded.push_back({n.node, "it is cordoned: " + n.cordon});
    else
      targets[n.node] = free_bytes(n);
  }
  std::sort(p.excluded.begin(), p.excluded.end(), [](const auto& a, const auto& b) {
    return a.node < b.node;
  });
  return targets;
}

std::vector<const vm_entry*> largest_first(std::vector<const vm_entry*> vms) {
  std::sort(vms.begin(), vms.end(), [](const vm_entry* a, const vm_entry* b) {
    return a->memory_bytes != b->memory_bytes ? a->memory_bytes > b->memory_bytes : a->vm < b->vm;
  });
  return vms;
}

/// The chosen node, or end; ties go to the first name.
free_memory::iterator choose(free_memory& targets, std::uint64_t bytes, fit rule) {
  auto best = targets.end();
  for (auto i = targets.begin(); i != targets.end(); ++i) {
    if (i->second < bytes)
      continue;
    if (
      best == targets.end() || (rule == fit::spread && i->second > best->second) ||
      (rule == fit::pack && i->second < best->second))
      best = i;
  }
  return best;
}

/// Takes the memory from `targets` as it goes.
placement place(const std::vector<const vm_entry*>& vms, free_memory& targets, fit rule) {
  placement places;
  for (const auto* v : vms)
    if (const auto where = choose(targets, v->memory_bytes, rule); where != targets.end()) {
      where->second -= v->memory_bytes;
      places.emplace(v->vm, where->first);
    }
  return places;
}

/// As an older plan has it: everybody where he was to go, or nobody.
placement place_as_wanted(
  const std::vector<const vm_entry*>& vms, free_memory targets,
  const std::map<vm_id, node_id>& wanted) {
  placement places;
  for (const auto* v : vms) {
    const auto to = wanted.find(v->vm);
    const auto where = to == wanted.end() ? targets.end() : targets.find(to->second);
    if (where == targets.end() || where->second < v->memory_bytes)
      return {};
    where->second -= v->memory_bytes;
    places.emplace(v->vm, where->first);
  }
  return places;
}

/// `left` is what the targets have after all others were placed.
std::string why_no_room(const vm_entry& v, const free_memory& left, const plan& p) {
  if (left.empty()) {
    std::string text = "there is no target";
    for (const auto& n : p.excluded)
      text += (&n == &p.excluded.front() ? " (" : "; ") + n.node.value + ": " + n.reason;
    return p.excluded.empty() ? text : text + ")";
  }
  const auto most = std::max_element(
    left.begin(), left.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  // The shortage is told, because rounded sizes may look equal.
  return "needs " + format_byte_size(v.memory_bytes) + ", " +
         format_byte_size(v.memory_bytes - std::min(v.memory_bytes, most->second)) +
         " more than is left on " + most->first.value + ", where most is left";
}

void sort_steps(std::vector<plan_step>& steps, plan_order order) {
  std::sort(steps.begin(), steps.end(), [order](const plan_step& a, const plan_step& b) {
    if (order != plan_order::by_id && a.bytes != b.bytes)
      return order == plan_order::largest_first ? a.bytes > b.bytes : a.bytes < b.bytes;
    return a.vm < b.vm;
  });
}

void note_memory(const plan_request& request, plan& p) {
  std::map<node_id, std::uint64_t> arriving;
  std::uint64_t leaving = 0;
  for (const auto& s : p.steps) {
    arriving[s.target] += s.bytes;
    leaving += s.bytes;
  }
  for (const auto& n : request.nodes) {
    const bool is_source = n.node == request.source;
    if (!is_source && !request.targets.empty() && !request.targets.contains(n.node))
      continue;
    const auto before = used(n);
    const auto after = is_source ? before - std::min(before, leaving) : before + arriving[n.node];
    p.memory.push_back({n.node, n.memory_bytes, n.reserve_bytes, before, after});
  }
  std::sort(
    p.memory.begin(), p.memory.end(), [](const auto& a, const auto& b) { return a.node < b.node; });
}

} // namespace

std::string_view to_string(plan_order order) {
  for (const auto& [value, name] : order_names)
    if (value == order)
      return name;
  return "largest_first";
}

std::optional<plan_order> plan_order_from_string(std::string_view text) {
  for (const auto& [value, name] : order_names)
    if (name == text)
      return value;
  return std::nullopt;
}

std::string_view to_string(stay_kind kind) {
  for (const auto& [value, name] : stay_names)
    if (value == kind)
      return name;
  return "blocked";
}

result<plan> make_plan(const plan_request& request) {
  if (auto why_not = objection(request))
    return tl::unexpected<error>(std::move(*why_not));
  plan p;
  p.source = request.source;
  p.how = request.how;
  p.kind = request.kind;
  p.channels = request.channels;
  std::vector<const vm_entry*> movable;
  for (const auto& v : request.vms) {
    if (auto stay = reason_to_stay(v))
      p.stays.push_back(std::move(*stay));
    else
      movable.push_back(&v);
  }
  movable = largest_first(std::move(movable));
  const auto targets = usable_targets(request, p);
  auto left = targets;
  auto places = place(movable, left, fit::spread);
  if (places.size() < movable.size()) {
    auto packed_left = targets;
    auto packed = place(movable, packed_left, fit::pack);
    if (packed.size() == movable.size())
      places = std::move(packed);
  }
  if (auto as_before = place_as_wanted(movable, targets, request.wanted);
      !request.wanted.empty() && as_before.size() == movable.size())
    places = std::move(as_before);
  p.feasible = places.size() == movable.size();
  for (const auto* v : movable) {
    const auto where = places.find(v->vm);
    if (p.feasible)
      p.steps.push_back({v->vm, v->name, request.source, where->second, v->memory_bytes});
    else if (where == places.end())
      p.stays.push_back(
        {v->vm, v->name, v->memory_bytes, stay_kind::no_room, why_no_room(*v, left, p)});
    else
      p.stays.push_back(
        {v->vm, v->name, v->memory_bytes, stay_kind::held_back,
         "could go to " + where->second.value + ", but nothing moves unless all have room"});
  }
  sort_steps(p.steps, request.order);
  std::sort(
    p.stays.begin(), p.stays.end(), [](const auto& a, const auto& b) { return a.vm < b.vm; });
  note_memory(request, p);
  return p;
}

int exit_code(const plan& p) {
  if (!p.feasible)
    return 3;
  const bool some_blocked = std::any_of(p.stays.begin(), p.stays.end(), [](const plan_stay& s) {
    return s.kind != stay_kind::stopped;
  });
  return some_blocked ? 2 : 0;
}

std::uint64_t bytes_to_move(const plan& p) {
  std::uint64_t bytes = 0;
  for (const auto& s : p.steps)
    bytes += s.bytes;
  return bytes;
}

} // namespace drover
