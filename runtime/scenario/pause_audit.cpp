#include "runtime/scenario/pause_audit.hpp"

namespace drover {

void pause_audit::take(const trace_event& event) {
  const std::lock_guard guard{mutex_};
  if (const auto* operation = std::get_if<store_operation>(&event.body)) {
    operations_.push_back(*operation);
    return;
  }
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

std::vector<pause_audit::intrusion> pause_audit::store_operations_in_pauses() const {
  const std::lock_guard guard{mutex_};
  std::vector<intrusion> found;
  for (const auto& o : operations_) {
    const auto [first, last] = pauses_.equal_range(o.vm);
    for (auto p = first; p != last; ++p)
      if (o.begin < p->second.end && o.end > p->second.begin)
        found.push_back({o.vm, o.node, o.operation});
  }
  return found;
}

} // namespace drover
