#include "runtime/scenario/pause_audit.hpp"

#include <algorithm>

namespace drover {

namespace {

bool overlap(const store_operation& o, wall_time begin, wall_time end) {
  return o.begin < end && o.end > begin;
}

} // namespace

void pause_audit::take(const trace_event& event) {
  const std::lock_guard guard{mutex_};
  if (const auto* operation = std::get_if<store_operation>(&event.body)) {
    operations_.push_back(*operation);
    return;
  }
  if (const auto* race = std::get_if<race_met>(&event.body)) {
    ++races_;
    if (race->end == "refused")
      refused_.insert(race->vm);
  }
  if (const auto* ended = std::get_if<migration_ended>(&event.body))
    policies_[ended->vm] = ended->how;
  const auto* mark = std::get_if<pause_mark>(&event.body);
  if (mark == nullptr)
    return;
  if (mark->mark == "source_stopped")
    stopped_[mark->vm] = *mark;
  const auto stopped = stopped_.find(mark->vm);
  if (mark->mark != "resumed" || stopped == stopped_.end())
    return;
  pauses_.emplace(
    mark->vm, interval{stopped->second.at, mark->at, stopped->second.node, mark->node});
  stopped_.erase(stopped);
}

pause_audit::node_pauses pause_audit::pauses_by_lock() const {
  node_pauses by_node;
  for (const auto& [vm, pause] : pauses_)
    if (const auto how = policies_.find(vm); how != policies_.end() && how->second == policy::lock)
      for (const auto& node : std::set{pause.source, pause.target})
        by_node[node].push_back(pause);
  return by_node;
}

bool pause_audit::is_in_pause(const store_operation& operation, const node_pauses& by_lock) const {
  if (operation.vm == vm_id{}) {
    const auto here = by_lock.find(operation.node);
    return (operation.operation == "take_lock" || operation.operation == "drop_lock") &&
           here != by_lock.end() &&
           std::any_of(here->second.begin(), here->second.end(), [&](const interval& pause) {
             return overlap(operation, pause.begin, pause.end);
           });
  }
  const auto [first, last] = pauses_.equal_range(operation.vm);
  return std::any_of(first, last, [&](const auto& pause) {
    return overlap(operation, pause.second.begin, pause.second.end);
  });
}

std::vector<pause_audit::intrusion> pause_audit::store_operations_in_pauses() const {
  const std::lock_guard guard{mutex_};
  const auto by_lock = pauses_by_lock();
  std::vector<intrusion> found;
  for (const auto& o : operations_)
    if (is_in_pause(o, by_lock))
      found.push_back({o.vm, o.node, o.operation});
  return found;
}

std::uint64_t pause_audit::store_operations_outside_pauses() const {
  const std::lock_guard guard{mutex_};
  // An operation on no VM is in no pause that is counted here.
  return static_cast<std::uint64_t>(
    std::count_if(operations_.begin(), operations_.end(), [this](const auto& o) {
      return pauses_.contains(o.vm) && !is_in_pause(o, {});
    }));
}

std::uint32_t pause_audit::races() const {
  const std::lock_guard guard{mutex_};
  return races_;
}

std::set<vm_id> pause_audit::refused() const {
  const std::lock_guard guard{mutex_};
  return refused_;
}

} // namespace drover
