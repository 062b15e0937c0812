// The clocks of a simulated world's hosts: each host has two, and they show what they like. Rule:
// whoever lives on a host reads that host's clocks, and only who judges reads the world's.
//
// monotonic = drifted(world time) + up     wall = beginning + drifted(world time) + ahead + jumps
// Both go at one speed, because slewing moves both alike; only a jump parts them.
#pragma once

#include "runtime/base/event_queue.hpp"
#include "runtime/base/ids.hpp"

#include <cstdint>
#include <map>

namespace drover {

struct host_clock {
  nanoseconds up{};                   ///< monotonic clock at the world's beginning
  std::chrono::microseconds ahead{};  ///< of the wall clock, before the world's
  std::int64_t drift_per_million = 0; ///< how much faster than the world's, or slower
  bool operator==(const host_clock&) const = default;
};

class host_clocks {
public:
  explicit host_clocks(const event_queue& world) : world_(world) {}

  /// A host without one has the world's own clock.
  void put(const node_id& node, const host_clock& clock) { clocks_[node] = clock; }
  /// Somebody sets the wall clock.
  void jump(const node_id& node, std::chrono::microseconds by) { clocks_[node].ahead += by; }
  /// The host starts anew; its wall clock was kept by a battery.
  void boot(const node_id& node) {
    if (const auto found = clocks_.find(node); found != clocks_.end())
      found->second.up = -drifted(found->second, world_.now());
  }

  mono_time monotonic(const node_id& node) const { return shown(of(node), world_.now()); }
  wall_time wall(const node_id& node) const {
    const auto clock = of(node);
    return event_queue::beginning +
           std::chrono::floor<std::chrono::microseconds>(drifted(clock, world_.now())) +
           clock.ahead;
  }
  /// The shortest time of the world in which so much passes on the host.
  nanoseconds world_time(const node_id& node, nanoseconds delay) const {
    const auto clock = of(node);
    if (clock.drift_per_million == 0 || delay.count() <= 0)
      return delay;
    const auto due = shown(clock, world_.now()) + delay;
    auto wait = delay;
    // Each step leaves a ten-thousandth of what is still wrong.
    for (int step = 0; step < 3; ++step)
      wait += due - shown(clock, world_.now() + wait);
    while (shown(clock, world_.now() + wait) >= due && wait.count() > 0)
      --wait;
    while (shown(clock, world_.now() + wait) < due)
      ++wait;
    return wait;
  }

private:
  static nanoseconds drift_of(nanoseconds span, std::int64_t per_million) {
    constexpr std::int64_t million = 1'000'000;
    const auto count = span.count();
    return nanoseconds{count / million * per_million + count % million * per_million / million};
  }
  static nanoseconds drifted(const host_clock& clock, mono_time world) {
    const auto passed = world.time_since_epoch();
    return passed + drift_of(passed, clock.drift_per_million);
  }
  static mono_time shown(const host_clock& clock, mono_time world) {
    return mono_time{drifted(clock, world) + clock.up};
  }
  host_clock of(const node_id& node) const {
    const auto found = clocks_.find(node);
    return found == clocks_.end() ? host_clock{} : found->second;
  }

  const event_queue& world_;
  std::map<node_id, host_clock> clocks_;
};

} // namespace drover
