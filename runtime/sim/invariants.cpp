#include "runtime/sim/invariants.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

bool is_good(const sim_copy& c) { return c.past_cont || c.continuable; }

std::string places(const std::vector<sim_copy>& copies) {
  std::string text;
  for (const auto& c : copies)
    text += (text.empty() ? "" : ", ") + std::string{to_string(c.state)} + " on " + c.node.value;
  return text.empty() ? "no copy anywhere" : text;
}

} // namespace

std::string to_string(const violation& v) {
  std::string text = "invariant " + std::to_string(v.invariant);
  text += v.kind == violation_kind::safety ? " (safety)" : " (liveness)";
  if (v.vm.value != 0)
    text += ", VM " + to_string(v.vm);
  return text + ": " + v.text;
}

void invariants::expect_vm(vm_id vm, const node_id& node, bool paused) {
  auto& entry = vms_[vm];
  entry.born_on = node;
  entry.paused = paused;
  entry.config = parts_.store.config(vm);
  entry.newest = parts_.machines.newest_memory(vm);
  for (const auto& c : parts_.machines.copies(vm)) {
    entry.memory[c.node] = c.memory;
    if (is_good(c))
      good_.emplace(vm, c.node);
  }
}

void invariants::before_kill(vm_id vm, const node_id& node) {
  killed_.emplace(vm, node);
  bool good_here = false;
  bool good_elsewhere = false;
  for (const auto& c : parts_.machines.copies(vm))
    (c.node == node ? good_here : good_elsewhere) |= is_good(c);
  // A source that stands still in its switchover is neither; with it the VM is gone as well.
  if (good_here || !good_elsewhere)
    lost_.insert(vm);
}

void invariants::before_node_dies(const node_id& node) {
  for (const auto& c : parts_.machines.copies())
    if (c.node == node)
      before_kill(c.vm, node);
}

void invariants::controller_restarted() {
  holding_.clear();
  streams_.clear();
  grown_.clear();
  windows_ = 0;
}

void invariants::say(violation_kind kind, std::uint32_t invariant, vm_id vm, std::string text) {
  violation v{kind, invariant, vm, std::move(text)};
  if (said_.insert(to_string(v)).second)
    found_.push_back(std::move(v));
}

void invariants::on_change(const machine_changed& e) {
  const auto copies = parts_.machines.copies(e.vm);
  if (!vms_.contains(e.vm))
    return;
  check_copies(e, copies);
  if (e.state == "gone")
    check_freed(e, copies);
  auto& entry = vms_.at(e.vm);
  entry.memory.clear();
  entry.newest = parts_.machines.newest_memory(e.vm);
  good_.erase(
    good_.lower_bound({e.vm, node_id{}}), good_.lower_bound({vm_id{e.vm.value + 1}, node_id{}}));
  for (const auto& c : copies) {
    entry.memory[c.node] = c.memory;
    if (is_good(c))
      good_.emplace(e.vm, c.node);
  }
}

void invariants::check_copies(const machine_changed& e, const std::vector<sim_copy>& copies) {
  const auto running =
    std::count_if(copies.begin(), copies.end(), [](const sim_copy& c) { return c.past_cont; });
  if (running > 1)
    say(violation_kind::safety, 1, e.vm, "both copies run: " + places(copies));
  const auto& before = vms_.at(e.vm);
  if (e.state == "running" && before.paused)
    say(violation_kind::safety, 2, e.vm, "runs on " + e.node.value + ", and was paused before");
  if (e.state == "running") {
    const auto was = before.memory.find(e.node);
    if (was != before.memory.end() && was->second < before.newest)
      say(
        violation_kind::safety, 3, e.vm,
        "runs on " + e.node.value + " with memory older than the newest: writes are lost");
  }
  if (!lost_.contains(e.vm) && std::none_of(copies.begin(), copies.end(), is_good)) {
    // Between STOP and loaded the memory is on its way: the source still holds it.
    const bool in_switchover =
      std::any_of(copies.begin(), copies.end(), [](const sim_copy& c) { return c.memory > 0; });
    if (!in_switchover)
      say(violation_kind::safety, 3, e.vm, "lost: " + places(copies));
  }
}

/// A copy that could have run was taken away, and no fault did it.
void invariants::check_freed(const machine_changed& e, const std::vector<sim_copy>& copies) {
  if (killed_.erase({e.vm, e.node}) > 0 || !good_.contains({e.vm, e.node}) || lost_.contains(e.vm))
    return;
  const auto& entry = vms_.at(e.vm);
  const auto owner = parts_.store.owner(e.vm);
  const bool safe = std::any_of(copies.begin(), copies.end(), [&](const sim_copy& c) {
    return (c.past_cont || entry.paused) && c.memory == parts_.machines.newest_memory(e.vm) &&
           owner == c.node;
  });
  // A loaded target may go as long as the source still has everything; the source may not.
  const auto record = parts_.store.record(e.vm);
  const bool is_source = record && record->source == e.node;
  const bool spare = !is_source && std::any_of(copies.begin(), copies.end(), [&](const auto& c) {
    return is_good(c) && c.memory >= entry.memory.at(e.node);
  });
  if (!safe && !spare)
    say(
      violation_kind::safety, 5, e.vm,
      "the copy on " + e.node.value + " was freed before another ran and owned; now " +
        places(copies) + ", owner " + (owner ? owner->value : "nobody"));
}

void invariants::take(const trace_event& event) {
  if (const auto* ended = std::get_if<migration_ended>(&event.body)) {
    if (const auto held = holding_.find(ended->vm); held != holding_.end()) {
      uncount_stream(held->second);
      holding_.erase(held);
    }
    return;
  }
  const auto* changed = std::get_if<phase_changed>(&event.body);
  if (changed == nullptr)
    return;
  asked_.insert(changed->vm);
  auto& held = holding_[changed->vm];
  // The permits of a stream are held from its start to the resume or the way back; under `early`
  // the config has moved before, and a resume that is asked for again after a way back holds none.
  const bool goes_on = changed->to == "moving_config" || changed->to == "taking_over";
  const bool holds = changed->to == "streaming" || (held.streams && goes_on);
  uncount_stream(held);
  held.phase = changed->to;
  if (const auto record = parts_.store.record(changed->vm);
      record && record->number == changed->number) {
    held.source = record->source;
    held.target = record->target;
  }
  if (holds)
    count_stream(held);
  if (changed->to == "streaming")
    check_permits();
}

void invariants::count_stream(held_by& held) {
  held.streams = true;
  ++windows_;
  for (const auto& node : {held.source, held.target}) {
    ++streams_[node];
    grown_.insert(node);
  }
}

void invariants::uncount_stream(held_by& held) {
  if (!std::exchange(held.streams, false))
    return;
  --windows_;
  --streams_[held.source];
  --streams_[held.target];
}

void invariants::check_permits() {
  if (windows_ > parts_.cluster.limits.windows)
    say(
      violation_kind::safety, 4, {},
      std::to_string(windows_) + " handover windows at once, allowed " +
        std::to_string(parts_.cluster.limits.windows));
  for (const auto& node : std::exchange(grown_, {}))
    if (const auto of = parts_.cluster.nodes.find(node);
        of != parts_.cluster.nodes.end() && streams_.at(node) > of->second.limits.streams)
      say(
        violation_kind::safety, 4, {},
        std::to_string(streams_.at(node)) + " streams at " + node.value + ", allowed " +
          std::to_string(of->second.limits.streams));
}

void invariants::check_at_the_end(const std::map<vm_id, std::string>& excused) {
  for (const auto& [vm, entry] : vms_)
    if (!lost_.contains(vm))
      check_end_of(vm, entry, excused);
}

std::string invariants::unsettled(vm_id vm, const vm_entry& of) const {
  const auto copies = parts_.machines.copies(vm);
  const auto owner = parts_.store.owner(vm);
  const auto running = std::count_if(copies.begin(), copies.end(), [&](const sim_copy& c) {
    return of.paused ? c.continuable : c.past_cont;
  });
  if (running != 1 || copies.size() != 1)
    return "does not run exactly once: " + places(copies);
  if (owner != copies.front().node)
    return "runs on " + copies.front().node.value + ", but its owner is " +
           (owner ? owner->value : "nobody");
  if (("\n" + parts_.store.config(vm)).find("\nlock:") != std::string::npos)
    return "its config has a lock";
  const auto record = parts_.store.record(vm);
  if (record && record->state != record_state::settled)
    return "its record is not settled: epoch " + to_string(record->number);
  return {};
}

bool invariants::is_settled() const {
  return std::all_of(vms_.begin(), vms_.end(), [this](const auto& entry) {
    return lost_.contains(entry.first) || unsettled(entry.first, entry.second).empty();
  });
}

std::map<std::string, std::uint64_t> invariants::stages() const {
  std::map<std::string, std::uint64_t> count;
  for (const auto& [vm, held] : holding_) {
    if (held.phase == "streaming")
      ++count["streaming"];
    else if (held.phase == "moving_config" || held.phase == "taking_over")
      ++count["window"];
    else if (held.phase == "claiming" || held.phase == "cleaning")
      ++count["after"];
    else if (held.phase != "voiding" && held.phase != "reverting")
      ++count["before_stream"];
    else
      ++count["back_out"];
  }
  return count;
}

void invariants::pause_disturbed(vm_id vm, const std::string& by) {
  say(violation_kind::safety, 6, vm, "a store operation inside its pause: " + by);
}

void invariants::pause_misjudged(vm_id vm, const std::string& what) {
  say(violation_kind::safety, 9, vm, what);
}

void invariants::permits_leaked(std::uint32_t count) {
  say(
    violation_kind::liveness, 4, {},
    std::to_string(count) + " permits are held or waited for although nothing runs");
}

void invariants::check_end_of(
  vm_id vm, const vm_entry& of, const std::map<vm_id, std::string>& excused) {
  const auto copies = parts_.machines.copies(vm);
  if (std::none_of(copies.begin(), copies.end(), [&](const sim_copy& c) {
        return of.paused ? c.continuable : c.past_cont;
      }))
    ++stuck_;
  if (const auto what = unsettled(vm, of); !what.empty() && !excused.contains(vm))
    say(violation_kind::liveness, 2, vm, what);
  if (asked_.contains(vm))
    return;
  if (
    parts_.store.owner(vm) != of.born_on || parts_.store.config(vm) != of.config ||
    parts_.store.record(vm))
    say(violation_kind::safety, 7, vm, "was touched although nobody asked for it");
}

} // namespace drover
