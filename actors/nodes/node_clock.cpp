#include "actors/nodes/node_clock.hpp"

#include <algorithm>

namespace drover {

void node_clock::answered(
  mono_time asked, mono_time at, const std::string& boot_id, const clock_reading& reading) {
  if (boot_id != boot_id_)
    samples_.clear();
  boot_id_ = boot_id;
  shift_ = reading.shift();
  const nanoseconds half = (at - asked) / 2;
  samples_.push_back({at, reading.monotonic - (asked + half), half});
  if (samples_.size() > samples_max)
    samples_.pop_front();
}

nanoseconds node_clock::error_now(const sample& s, mono_time now) {
  return s.error + (now - s.at) / 1'000'000 * drift_max_per_million;
}

std::optional<clock_estimate> node_clock::estimate(mono_time now) const {
  if (samples_.empty())
    return std::nullopt;
  const auto best =
    std::min_element(samples_.begin(), samples_.end(), [now](const sample& a, const sample& b) {
      return error_now(a, now) < error_now(b, now);
    });
  return clock_estimate{boot_id_, best->ahead, error_now(*best, now), shift_};
}

} // namespace drover
