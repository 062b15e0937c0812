#include "runtime/scenario/pause_audit.hpp"

#include <algorithm>

namespace drover {

void pause_audit::take(const trace_event& event) {
  const std::lock_guard guard{mutex_};
  if (const auto* operation = std::get_if<store_operation>(&event.body)) {
    operations_.push_back(*operation);
    return;
  }
  if (std::holds_alternative<race_met>(event.body))
    ++races_;
  const auto* mark = std::get_if<pause_mark>(&event.body);
  if (mark == nullptr)
    return;
  if (mark->mark == "source_stopped")
    stopped_[mark->vm] = mark->at;
  if (mark->mark != "resumed" || !stopped_.contains(mark->vm))
    return;
  pauses_.emplace(mark->vm, interval{stopped_[mark->vm], mark->at});
  stopped_.erase(mark->vm);
}

bool pause_audit::is_in_pause(const store_operation& operation) const {
  const auto [first, last] = pauses_.equal_range(operation.vm);
  return std::any_of(first, last, [&](const auto& pause) {
    return operation.begin < pause.second.end && operation.end > pause.second.begin;
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

} // namespace drover
