#include "runtime/sim/pause_truth.hpp"

#include <cmath>
#include <fmt/format.h>

namespace drover {
namespace {

/// Of sums of whole nanoseconds in seconds.
constexpr double rounding_s = 1e-9;

wall_time wall_of(mono_time world) {
  return event_queue::beginning +
         std::chrono::floor<std::chrono::microseconds>(world.time_since_epoch());
}

} // namespace

void pause_truth::take(const trace_event& event) {
  if (const auto* changed = std::get_if<machine_changed>(&event.body)) {
    const stamp key{changed->vm, changed->node, clocks_.wall(changed->node)};
    if (changed->state == "stopped")
      stops_[key] = world_.now();
    else if (changed->state == "running")
      resumes_[key] = world_.now();
  }
  if (const auto* mark = std::get_if<pause_mark>(&event.body)) {
    note_mark(*mark);
    if (const auto moment = moment_of(*mark)) {
      auto by_world = event;
      std::get<pause_mark>(by_world.body).at = wall_of(*moment);
      return next_->take(by_world);
    }
  }
  if (const auto* ended = std::get_if<migration_ended>(&event.body))
    check(*ended);
  next_->take(event);
}

std::optional<mono_time> pause_truth::moment_of(const pause_mark& mark) const {
  const auto& all = mark.mark == "source_stopped" ? stops_ : resumes_;
  if (mark.mark != "source_stopped" && mark.mark != "resumed")
    return std::nullopt;
  const auto found = all.find({mark.vm, mark.node, mark.at});
  return found == all.end() ? std::nullopt : std::optional{found->second};
}

void pause_truth::note_mark(const pause_mark& mark) {
  auto& of = pauses_[{mark.vm, mark.number}];
  if (mark.mark == "source_stopped")
    of.begin = moment_of(mark);
  else if (mark.mark == "resumed")
    of.end = moment_of(mark);
}

void pause_truth::check(const migration_ended& ended) {
  const auto found = pauses_.find({ended.vm, ended.number});
  if (!ended.pause_s || found == pauses_.end() || !found->second.begin || !found->second.end)
    return;
  ++checked_;
  const double truth = seconds(*found->second.end - *found->second.begin);
  const double bound = ended.pause_error_s.value_or(0);
  if (std::abs(truth - *ended.pause_s) > bound + rounding_s && accuse_)
    accuse_(
      ended.vm, fmt::format(
                  "its pause was {:.6f} ms, told as {:.6f} ±{:.6f} ms", truth * 1000,
                  *ended.pause_s * 1000, bound * 1000));
}

} // namespace drover
