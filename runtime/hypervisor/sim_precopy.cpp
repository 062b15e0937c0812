#include "runtime/hypervisor/sim_precopy.hpp"

#include <algorithm>
#include <limits>

namespace drover {

namespace {

constexpr std::uint64_t second = 1'000'000'000;

std::uint64_t ns_of(nanoseconds time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
}

} // namespace

std::uint64_t bytes_in(nanoseconds time, std::uint64_t bytes_per_s) {
  const auto rate = std::min(bytes_per_s, sim_speed_most);
  const auto ns = ns_of(time);
  return rate * (ns / second) + rate * (ns % second) / second;
}

nanoseconds time_for(std::uint64_t bytes, std::uint64_t bytes_per_s) {
  const auto rate = std::clamp<std::uint64_t>(bytes_per_s, 1, sim_speed_most);
  // Longer than the virtual clock goes on: a year is as good.
  constexpr std::uint64_t seconds_most = 366ULL * 24 * 3600;
  const auto whole = std::min(bytes / rate, seconds_most);
  const auto part = ((bytes % rate) * second + rate - 1) / rate;
  return nanoseconds{static_cast<std::int64_t>(whole * second + part)};
}

sim_precopy::sim_precopy(
  std::uint64_t total_bytes, std::uint64_t dirty_bytes_per_s, std::uint64_t working_set_bytes)
  : total_(total_bytes), dirty_rate_(std::min(dirty_bytes_per_s, sim_speed_most)),
    working_set_(std::min(working_set_bytes, total_bytes)), left_(total_bytes) {}

void sim_precopy::set_speed(std::uint64_t bytes_per_s) {
  speed_ = std::min(bytes_per_s, sim_speed_most);
  if (speed_ > 0)
    measured_speed_ = speed_;
}

void sim_precopy::set_limit(std::uint32_t downtime_limit_ms) {
  // QEMU takes 0 and then never ends; a pass that takes no time would never end here either.
  limit_ms_ = std::max<std::uint32_t>(downtime_limit_ms, 1);
}

void sim_precopy::advance(nanoseconds time) {
  const auto gone = std::min(left_, bytes_in(time, speed_));
  left_ -= gone;
  sent_ += gone;
  dirty_ = std::min(working_set_, dirty_ + bytes_in(time, dirty_rate_));
}

std::uint64_t sim_precopy::threshold() const { return bytes_in(milliseconds{limit_ms_}, speed_); }

bool sim_precopy::fits_the_limit() const { return speed_ > 0 && remaining() <= threshold(); }

void sim_precopy::begin_pass() {
  left_ = dirty_;
  dirty_ = 0;
  ++passes_;
}

void sim_precopy::stop_guest() {
  left_ += dirty_;
  dirty_ = 0;
  dirty_rate_ = 0;
  limit_ms_ = 0; // Only the end of the last pass is left to wait for.
  ++passes_;
}

std::optional<nanoseconds> sim_precopy::next() const {
  if (speed_ == 0)
    return std::nullopt;
  const auto pass_end = time_for(left_, speed_);
  const auto goal = threshold();
  if (remaining() <= goal)
    return nanoseconds{0};
  // Until the working set is dirty all over, what remains shrinks by the difference of the rates;
  // after that, by the whole speed.
  const auto full =
    dirty_rate_ == 0 ? nanoseconds{0} : time_for(working_set_ - dirty_, dirty_rate_);
  if (dirty_rate_ > 0 && speed_ > dirty_rate_) {
    const auto met = time_for(remaining() - goal, speed_ - dirty_rate_);
    if (met <= full)
      return std::min(met, pass_end);
  }
  const auto most_dirty = dirty_rate_ == 0 ? dirty_ : working_set_;
  const auto met = time_for(left_ + most_dirty - goal, speed_);
  return std::min(std::max(met, full), pass_end);
}

stream_figures sim_precopy::figures() const {
  const auto expected =
    measured_speed_ == 0 ? nanoseconds{0} : time_for(remaining(), measured_speed_);
  const auto expected_ms = std::chrono::duration_cast<milliseconds>(expected).count();
  return {
    sent_, remaining(), total_, passes_,
    static_cast<std::uint32_t>(
      std::min<std::int64_t>(expected_ms, std::numeric_limits<std::uint32_t>::max()))};
}

} // namespace drover
