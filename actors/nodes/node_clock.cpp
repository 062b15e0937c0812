#include "actors/nodes/node_clock.hpp"

#include <algorithm>

namespace drover {

void node_clock::answered(
  mono_time asked, mono_time at, const std::string& boot_id, const clock_reading& reading) {
  if (boot_id != boot_id_) {
    samples_.clear();
    set_at_.reset();
  }
  if (!samples_.empty() && was_set_between(shift_, reading.shift()))
    set_at_ = at;
  boot_id_ = boot_id;
  shift_ = reading.shift();
  const nanoseconds half = (at - asked) / 2;
  samples_.push_back({at, reading.monotonic - (asked + half), half});
  if (samples_.size() > samples_max)
    samples_.pop_front();
}

nanoseconds node_clock::error_now(const sample& s, mono_time now) {
  return s.error + drift_over(now - s.at);
}

std::optional<clock_estimate> node_clock::estimate(mono_time now) const {
  if (samples_.empty())
    return std::nullopt;
  const auto best =
    std::min_element(samples_.begin(), samples_.end(), [now](const sample& a, const sample& b) {
      return error_now(a, now) < error_now(b, now);
    });
  return clock_estimate{boot_id_, best->ahead, error_now(*best, now), shift_, best->at, set_at_};
}

} // namespace drover
