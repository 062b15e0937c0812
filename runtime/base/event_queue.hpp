// Virtual time: tasks in the order of their time, and of their arming where the times are equal.
// Rule: one queue per simulated world; nothing in that world reads any other clock.
#pragma once

#include "runtime/base/timers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace drover {

class event_queue final : public timers {
public:
  mono_time now() const override { return now_; }
  /// Wall time of this world: its own beginning, plus what has passed.
  wall_time wall_now() const {
    return beginning +
           std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch());
  }
  void after(nanoseconds delay, std::function<void()> task) override {
    tasks_.emplace(moment(delay), std::move(task));
  }
  /// Runs `look` when time passes that moment. It is no event of this world: neither `next` nor
  /// `size` tells of it, so that who is watched lives as if nobody looked.
  void watch(nanoseconds delay, std::function<void()> look) {
    looks_.emplace(moment(delay), std::move(look));
  }

  /// When the earliest task is due; nullopt when none is armed.
  std::optional<mono_time> next() const {
    if (tasks_.empty())
      return std::nullopt;
    return tasks_.begin()->first.first;
  }
  /// Moves to the time of the earliest task and runs it; false when none is armed.
  bool step() {
    if (tasks_.empty())
      return run_first(looks_);
    while (has_look_until(*next()))
      run_first(looks_);
    return run_first(tasks_);
  }
  /// Lets time pass without running a task; never backwards.
  void advance_to(mono_time time) {
    while (has_look_until(time))
      run_first(looks_);
    now_ = std::max(now_, time);
  }
  std::size_t size() const { return tasks_.size(); }

  /// 2020-01-01 00:00:00 UTC: a round number, for traces.
  static constexpr wall_time beginning{std::chrono::microseconds{1'577'836'800'000'000}};

private:
  using key = std::pair<mono_time, std::uint64_t>;
  using agenda = std::map<key, std::function<void()>>;

  key moment(nanoseconds delay) {
    return {now_ + (delay.count() > 0 ? delay : nanoseconds{0}), ++armed_};
  }
  bool has_look_until(mono_time time) const {
    return !looks_.empty() && looks_.begin()->first.first <= time;
  }
  bool run_first(agenda& of) {
    if (of.empty())
      return false;
    auto first = of.extract(of.begin());
    now_ = std::max(now_, first.key().first);
    first.mapped()();
    return true;
  }

  mono_time now_{};
  std::uint64_t armed_ = 0;
  agenda tasks_;
  agenda looks_;
};

} // namespace drover
