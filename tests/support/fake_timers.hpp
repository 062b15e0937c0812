// A clock that stands still until a test moves it. Rule: deterministic; tasks of the same moment
// run in the order in which they were asked for.
#pragma once

#include "runtime/base/timers.hpp"

#include <functional>
#include <map>
#include <utility>

namespace drover::test {

class fake_timers : public timers {
public:
  mono_time now() const override { return now_; }
  wall_time wall() const {
    return wall_time{
      std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch())};
  }

  void after(nanoseconds delay, std::function<void()> task) override {
    tasks_.emplace(std::pair{now_ + delay, sequence_++}, std::move(task));
  }

  /// Runs everything that is due within `span`, then stands at its end.
  void run_for(nanoseconds span) {
    const auto end = now_ + span;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end)
      step();
    now_ = end;
  }

  /// Runs task by task until `condition` holds; false when `span` passed without it.
  bool run_until(const std::function<bool()>& condition, nanoseconds span) {
    const auto end = now_ + span;
    while (!condition()) {
      if (tasks_.empty() || tasks_.begin()->first.first > end)
        return false;
      step();
    }
    return true;
  }

private:
  void step() {
    const auto first = tasks_.begin();
    now_ = first->first.first;
    const auto task = std::move(first->second);
    tasks_.erase(first);
    task();
  }

  mono_time now_{std::chrono::hours{1}};
  std::uint64_t sequence_ = 0;
  std::map<std::pair<mono_time, std::uint64_t>, std::function<void()>> tasks_;
};

} // namespace drover::test
