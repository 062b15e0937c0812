#include "actors/handover/pause_span.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

bool differ(nanoseconds a, nanoseconds b) {
  return a - b > clock_jump_min || b - a > clock_jump_min;
}

/// The wall clock now is not what it was when the moment was stamped.
bool has_jumped(const host_moment& moment) {
  return moment.shift && moment.clock && differ(*moment.shift, moment.clock->shift);
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

} // namespace

pause_span span_between(const host_moment& begin, const host_moment& end) {
  if (!begin.at || !end.at)
    return {};
  for (const auto* one : {&begin, &end})
    if (has_jumped(*one))
      return unknown("the clock of " + one->node.value + " was set during the migration");
  if (is_same_host(begin, end)) {
    if (begin.shift && end.shift && differ(*begin.shift, *end.shift))
      return unknown("the clock of " + begin.node.value + " was set during the migration");
    if (*end.at < *begin.at)
      return unknown("the moments of " + begin.node.value + " are out of order");
    return {drover::seconds(*end.at - *begin.at), 0, {}};
  }
  for (const auto* one : {&begin, &end})
    if (!one->shift || !one->clock)
      return unknown("the agent of " + one->node.value + " has not told how its clock stands");
  const auto length = here(end) - here(begin);
  const auto error = begin.clock->error + end.clock->error;
  if (length + error < nanoseconds{0})
    return unknown(
      "by the clocks of " + begin.node.value + " and " + end.node.value +
      " it ended before it began");
  return {drover::seconds(std::max(length, nanoseconds{0})), drover::seconds(error), {}};
}

} // namespace drover
