#include "metrics/page/run_history.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

double unix_s(wall_time at) { return seconds(at.time_since_epoch()); }

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json or_null(const std::optional<wall_time>& at) {
  return at ? ordered_json(unix_s(*at)) : ordered_json(nullptr);
}

} // namespace

void run_history::take(const trace_event& event) {
  const std::lock_guard guard{mutex_};
  now_ = event.at;
  ++version_;
  std::visit([this](const auto& body) { on(body); }, event.body);
}

history_version run_history::version() const {
  const std::lock_guard guard{mutex_};
  return version_;
}

run_history::vm_history* run_history::vm_of(vm_id vm) {
  const auto found = vms_.find(vm);
  if (found == vms_.end())
    return nullptr;
  found->second.changed = version_;
  return &found->second;
}

void run_history::on(const link_changed& e) { nodes_[e.node].link = e.state; }

void run_history::begin_evacuation(const node_id& node, std::uint32_t vms) {
  evacuations_.push_back({std::to_string(evacuations_.size() + 1), node, "running", vms, now_, {}});
  // What the plan left out was told before; an open page needs no second word about it.
  auto& begun = evacuations_.back();
  for (auto& [vm, h] : vms_)
    if (h.stays && h.source == node && h.evacuation.empty()) {
      h.evacuation = begun.id;
      ++begun.vms;
    }
}

void run_history::on(const evacuation_started& e) { begin_evacuation(e.node, e.vms); }

void run_history::on(const evacuation_ended& e) {
  if (e.result == "infeasible") // It never started.
    begin_evacuation(e.node, 0);
  for (auto& known : evacuations_)
    if (known.node == e.node && !known.ended) {
      known.state = e.result;
      known.ended = now_;
    }
}

void run_history::on(const vm_left_out& e) {
  vm_history h;
  h.source = e.node;
  h.stays = left_out{e.kind, e.reason};
  h.changed = version_;
  vms_[e.vm] = std::move(h);
}

void run_history::on(const migration_planned& e) {
  vm_history h;
  h.source = e.source;
  h.target = e.target;
  h.how = e.how;
  h.memory_bytes = h.left_bytes = e.memory_bytes;
  for (const auto& known : evacuations_)
    if (known.node == e.source && !known.ended)
      h.evacuation = known.id;
  h.phases.emplace_back("waiting", now_); // It asks for its permits at once.
  h.changed = version_;
  vms_[e.vm] = std::move(h);
}

void run_history::on(const phase_changed& e) {
  if (auto* vm = vm_of(e.vm))
    vm->phases.emplace_back(e.to, now_);
}

void run_history::on(const barrier_passed& e) {
  if (auto* vm = vm_of(e.vm))
    vm->barrier_s = e.waited_us / 1e6;
}

void run_history::on(const stream_moved& e) {
  auto* vm = vm_of(e.vm);
  if (!vm)
    return;
  vm->left_bytes = std::min(vm->memory_bytes, e.remaining_bytes);
  vm->passes = e.passes;
}

void run_history::on(const pause_mark& e) {
  auto* vm = vm_of(e.vm);
  if (!vm)
    return;
  if (e.mark == "resumed")
    vm->resumed = e.at;
  if (e.mark == "claimed" && vm->resumed)
    vm->claim_s = std::max(0.0, seconds(e.at - *vm->resumed));
}

void run_history::on(const migration_ended& e) {
  auto* vm = vm_of(e.vm);
  if (!vm)
    return;
  vm->end = e;
  vm->ended = now_;
  vm->left_bytes = 0;
  if (e.result == "moved") {
    --nodes_[e.source].vms;
    ++nodes_[e.target].vms;
  }
}

// -- as JSON -------------------------------------------------------------------------------------

ordered_json run_history::json_of(const evacuation_history& e) const {
  std::uint64_t bytes = 0;
  std::uint64_t left = 0;
  std::uint32_t moved = 0;
  std::uint32_t stayed = 0;
  for (const auto& [vm, h] : vms_) {
    if (h.evacuation != e.id)
      continue;
    bytes += h.memory_bytes;
    left += h.left_bytes;
    if (h.end || h.stays)
      ++(h.end && h.end->result == "moved" ? moved : stayed);
  }
  const double passed_s = seconds(e.ended.value_or(now_) - e.begun);
  const bool has_rate = !e.ended && left < bytes && left > 0 && passed_s > 0;
  const double rate = has_rate ? static_cast<double>(bytes - left) / passed_s : 0;
  return {
    {"id", e.id},
    {"node", e.node.value},
    {"state", e.state},
    {"vms", e.vms},
    {"moved", moved},
    {"stayed", stayed},
    {"bytes", bytes},
    {"bytes_left", left},
    {"began", unix_s(e.begun)},
    {"ended", or_null(e.ended)},
    {"rate", has_rate ? ordered_json(rate) : ordered_json(nullptr)},
    {"eta_s", has_rate ? ordered_json(static_cast<double>(left) / rate) : ordered_json(nullptr)}};
}

ordered_json run_history::json_of(vm_id vm, const vm_history& h) const {
  if (h.stays)
    return {
      {"vm", vm.value},
      {"source", h.source.value},
      {"target", ""},
      {"policy", ""},
      {"evacuation", h.evacuation},
      {"phase", "left_out"},
      {"memory", 0},
      {"left", 0},
      {"result", "stayed"},
      {"kind", h.stays->kind},
      {"reason", h.stays->reason}};
  ordered_json out{
    {"vm", vm.value},
    {"source", h.source.value},
    {"target", h.target.value},
    {"policy", std::string{to_string(h.how)}},
    {"evacuation", h.evacuation},
    {"phase", h.phases.back().first},
    {"memory", h.memory_bytes},
    {"left", h.left_bytes}};
  if (h.passes > 0)
    out["passes"] = h.passes;
  if (h.barrier_s)
    out["barrier_s"] = *h.barrier_s;
  if (h.claim_s)
    out["claim_s"] = *h.claim_s;
  if (h.end) {
    out["result"] = h.end->result;
    out["reason"] = h.end->reason;
    out["pause_s"] = or_null(h.end->pause_s);
    out["blackout_s"] = or_null(h.end->blackout_s);
    out["handover_s"] = or_null(h.end->handover_s);
    out["budget_s"] = or_null(h.end->budget_s);
    out["bytes"] = h.end->bytes;
    out["total_s"] = h.end->total_s;
    out["ended"] = or_null(h.ended);
  }
  return out;
}

/// What everybody who looks gets: the moment, the evacuations, the nodes.
ordered_json run_history::frame() const {
  ordered_json evacuations = ordered_json::array();
  for (const auto& e : evacuations_)
    evacuations.push_back(json_of(e));
  ordered_json nodes = ordered_json::array();
  for (const auto& [node, h] : nodes_)
    nodes.push_back({{"node", node.value}, {"vms", h.vms}, {"link", h.link}});
  return {
    {"drover", DROVER_VERSION},
    {"version", version_},
    {"now", unix_s(now_)},
    {"evacuations", evacuations},
    {"nodes", nodes}};
}

ordered_json run_history::whole() const {
  const std::lock_guard guard{mutex_};
  auto out = frame();
  out["vms"] = ordered_json::array();
  for (const auto& [vm, h] : vms_) {
    auto one = json_of(vm, h);
    one["phases"] = ordered_json::array();
    for (const auto& [phase, at] : h.phases)
      one["phases"].push_back({phase, unix_s(at)});
    out["vms"].push_back(std::move(one));
  }
  return out;
}

ordered_json run_history::since(history_version seen) const {
  const std::lock_guard guard{mutex_};
  // An event changes one VM at most, so a version tells one apart.
  std::map<history_version, vm_id> changed;
  for (const auto& [vm, h] : vms_)
    if (h.changed > seen)
      changed.emplace(h.changed, vm);
  auto out = frame();
  out["vms"] = ordered_json::array();
  for (const auto& [version, vm] : changed) {
    if (out["vms"].size() == vms_per_update_max)
      break;
    out["vms"].push_back(json_of(vm, vms_.at(vm)));
    if (out["vms"].size() == vms_per_update_max)
      out["version"] = version;
  }
  return out;
}

ordered_json run_history::evacuations() const {
  const std::lock_guard guard{mutex_};
  return frame().at("evacuations");
}

ordered_json run_history::evacuation(const std::string& id) const {
  const std::lock_guard guard{mutex_};
  for (const auto& e : evacuations_) {
    if (e.id != id)
      continue;
    auto out = json_of(e);
    out["migrations"] = ordered_json::array();
    for (const auto& [vm, h] : vms_)
      if (h.evacuation == id)
        out["migrations"].push_back(json_of(vm, h));
    return out;
  }
  return nullptr;
}

} // namespace drover
