#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

/// A batch goes out when no request has come for this long ...
constexpr nanoseconds quiet = std::chrono::milliseconds{20};
/// ... or when its first event is this old.
constexpr nanoseconds age_max = std::chrono::milliseconds{250};
/// More than this is not kept: the trace is for people, and memory has a bound.
constexpr std::size_t operations_max = 10'000;

} // namespace

void agent::store_operated(store_operation operation) {
  if (operations_.size() >= operations_max)
    return;
  if (operations_.empty())
    operations_since_ = timers_.now();
  operation.node = settings_.node;
  operations_.push_back(std::move(operation));
  arm_trace(quiet);
}

void agent::arm_trace(nanoseconds delay) {
  if (std::exchange(trace_armed_, true))
    return;
  tasks_.spawn([](agent& self, nanoseconds after) -> task<done> {
    co_await self.sleep(after);
    self.trace_armed_ = false;
    self.flush_trace();
    co_return done{};
  }(*this, delay));
}

void agent::flush_trace() {
  if (operations_.empty())
    return;
  const auto now = timers_.now();
  if (in_a_pause() || (now - active_at_ < quiet && now - operations_since_ < age_max)) {
    arm_trace(quiet);
    return;
  }
  wire::node_trace batch;
  batch.operations.swap(operations_);
  send_(wire::notice{std::move(batch)});
}

/// A pause whose other side died must not silence the trace for ever, so each has an end.
bool agent::in_a_pause() {
  const auto now = timers_.now();
  std::erase_if(pauses_, [now](const auto& pause) { return pause.second <= now; });
  return !pauses_.empty();
}

} // namespace drover
