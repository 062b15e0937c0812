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

bool pause_audit::is_in_pause(const store_operation& operation) const {
  if (operation.vm == vm_id{})
    return is_in_pause_of_lock(operation);
  const auto [first, last] = pauses_.equal_range(operation.vm);
  return std::any_of(first, last, [&](const auto& pause) {
    return overlap(operation, pause.second.begin, pause.second.end);
  });
}

bool pause_audit::is_in_pause_of_lock(const store_operation& operation) const {
  if (operation.operation != "take_lock" && operation.operation != "drop_lock")
    return false;
  return std::any_of(pauses_.begin(), pauses_.end(), [&](const auto& one) {
    const auto& [vm, pause] = one;
    const auto how = policies_.find(vm);
    return how != policies_.end() && how->second == policy::lock &&
           (operation.node == pause.source || operation.node == pause.target) &&
           overlap(operation, pause.begin, pause.end);
  });
}

std::vector<pause_audit::intrusion> pause_audit::store_operations_in_pauses() const {
  const std::lock_guard guard{mutex_};
  std::vector<intrusion> found;
  for (const auto& o : operations_)
    if (is_in_pause(o))
      found.push_back({o.vm, o.node, o.operation});
  return found;
}

std::uint64_t pause_audit::store_operations_outside_pauses() const {
  const std::lock_guard guard{mutex_};
  return static_cast<std::uint64_t>(
    std::count_if(operations_.begin(), operations_.end(), [this](const auto& o) {
      return pauses_.contains(o.vm) && !is_in_pause(o);
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
