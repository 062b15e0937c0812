#include "actors/handover/pause_span.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

/// The wall clock now is not what it was when the moment was stamped, or was not for a while.
bool has_jumped(const host_moment& moment, mono_time since) {
  if (!moment.shift || !moment.clock)
    return false;
  const auto& clock = *moment.clock;
  return was_set_between(*moment.shift, clock.shift) || (clock.set_at && *clock.set_at >= since);
}

bool is_same_host(const host_moment& a, const host_moment& b) {
  if (a.node == b.node)
    return true;
  return a.clock && b.clock && !a.clock->boot_id.empty() && a.clock->boot_id == b.clock->boot_id;
}

pause_span unknown(std::string why) { return {std::nullopt, 0, std::move(why)}; }

/// On this host's monotonic clock.
nanoseconds here(const host_moment& moment) {
  return moment.at->time_since_epoch() - *moment.shift - moment.clock->ahead;
}

/// Of `here`, at most: the estimate's, what the clocks drifted where the moment was before the
/// reading, and what two readings of the same two clocks differ by.
nanoseconds error_of(const host_moment& moment) {
  const auto& clock = *moment.clock;
  const auto before = clock.read_at.time_since_epoch() - here(moment);
  const auto drift = before > nanoseconds{0} ? drift_over(before) : nanoseconds{0};
  return clock.error + drift + std::chrono::abs(*moment.shift - clock.shift) + stamp_grain;
}

} // namespace

pause_span span_between(const host_moment& begin, const host_moment& end, mono_time since) {
  if (!begin.at || !end.at)
    return {};
  for (const auto* one : {&begin, &end})
    if (has_jumped(*one, since))
      return unknown("the clock of " + one->node.value + " was set during the migration");
  if (is_same_host(begin, end)) {
    if (begin.shift && end.shift && was_set_between(*begin.shift, *end.shift))
      return unknown("the clock of " + begin.node.value + " was set during the migration");
    if (*end.at < *begin.at)
      return unknown("the moments of " + begin.node.value + " are out of order");
    return {drover::seconds(*end.at - *begin.at), 0, {}};
  }
  for (const auto* one : {&begin, &end})
    if (!one->shift || !one->clock)
      return unknown("the agent of " + one->node.value + " has not told how its clock stands");
  const auto length = here(end) - here(begin);
  const auto error = error_of(begin) + error_of(end);
  if (length + error < nanoseconds{0})
    return unknown(
      "by the clocks of " + begin.node.value + " and " + end.node.value +
      " it ended before it began");
  return {drover::seconds(std::max(length, nanoseconds{0})), drover::seconds(error), {}};
}

} // namespace drover
