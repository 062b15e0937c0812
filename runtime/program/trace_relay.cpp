#include "runtime/program/trace_relay.hpp"

#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

/// What is watched comes before the watching.
constexpr int niceness = 10;

} // namespace

trace_relay::trace_relay() {
  worker_ = std::thread{[this] { hand_on(); }};
}

trace_relay::~trace_relay() { close(); }

void trace_relay::take(const trace_event& event) {
  // Nobody is woken: that would cost more than all the rest. The worker looks by itself.
  const std::lock_guard guard{mutex_};
  queue_.push_back(event);
}

void trace_relay::close() {
  {
    const std::lock_guard guard{mutex_};
    closing_ = true;
  }
  wake_.notify_one();
  if (worker_.joinable())
    worker_.join();
}

void trace_relay::hand_on() {
  // On Linux a niceness is a thread's own; where it cannot be set, the relay is only less polite.
  static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), niceness));
  std::unique_lock guard{mutex_};
  for (bool last = false; !last;) {
    wake_.wait_for(guard, delay_max, [this] { return closing_; });
    last = closing_;
    const auto events = std::exchange(queue_, {});
    guard.unlock();
    for (const auto& event : events)
      sinks_.take(event);
    guard.lock();
  }
}

} // namespace drover
