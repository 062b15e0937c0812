// What the way forward and the way back share: questions, repeats, permits, marks and the end.
#include "actors/handover/handover.hpp"

#include "runtime/base/check.hpp"

#include <algorithm>

namespace drover {
namespace {

using whole_seconds = std::chrono::seconds;

/// How often a step is asked again, and how long after; `unlimited` answers are events of their
/// own.
struct patience {
  std::uint32_t repeats_max;
  milliseconds first_delay;
  milliseconds delay_max;
};

patience patience_of(step what) {
  switch (what) {
  case step::source_outcome:
  case step::target_outcome:
    return {5, milliseconds{200}, whole_seconds{5}};
  case step::take_over:
    return {20, milliseconds{20}, whole_seconds{2}};
  case step::claim:
    return {30, milliseconds{100}, whole_seconds{5}};
  case step::begin:
    return {20, milliseconds{200}, whole_seconds{5}};
  case step::cancel:
  case step::see:
    return {3, milliseconds{200}, whole_seconds{1}};
  default:
    return {6, milliseconds{200}, whole_seconds{5}};
  }
}

/// Two minutes and more: a quorum takes its time to come back, and until then the VM runs and only
/// the store is behind.
constexpr patience of_a_store{30, milliseconds{200}, whole_seconds{5}};

/// The end of a handover, when the agent answers that it can be asked again: then it is there, and
/// the store is what it waits for.
bool waits_for_store(step what, std::optional<errc> why) {
  const bool ends =
    what == step::release || what == step::settle_target || what == step::settle_source;
  return ends && why == errc::retry;
}

} // namespace

std::string_view to_string(phase p) {
  switch (p) {
  case phase::waiting:
    return "waiting";
  case phase::beginning:
    return "beginning";
  case phase::receiving:
    return "receiving";
  case phase::queued:
    return "queued";
  case phase::streaming:
    return "streaming";
  case phase::moving_config:
    return "moving_config";
  case phase::taking_over:
    return "taking_over";
  case phase::claiming:
    return "claiming";
  case phase::cleaning:
    return "cleaning";
  case phase::voiding:
    return "voiding";
  case phase::reverting:
    return "reverting";
  case phase::ended:
    break;
  }
  return "ended";
}

std::string_view to_string(verdict v) {
  switch (v) {
  case verdict::moved:
    return "moved";
  case verdict::stayed:
    return "stayed";
  case verdict::needs_operator:
    break;
  }
  return "needs_operator";
}

std::string_view to_string(permit_set s) { return s == permit_set::prepare ? "prepare" : "stream"; }

phase phase_of(step what) {
  switch (what) {
  case step::begin:
    return phase::beginning;
  case step::receive:
    return phase::receiving;
  case step::stream:
  case step::source_outcome:
  case step::target_outcome:
  case step::cancel:
  case step::limit:
    return phase::streaming;
  case step::move:
  case step::see:
    return phase::moving_config;
  case step::take_over:
    return phase::taking_over;
  case step::claim:
    return phase::claiming;
  case step::release:
  case step::settle_target:
    return phase::cleaning;
  case step::void_target:
    return phase::voiding;
  case step::continue_source:
  case step::settle_source:
    break;
  }
  return phase::reverting;
}

void handover::transition_to(phase next) {
  out_.push_back(note{phase_changed{
    order_.vm, number(), std::string{to_string(phase_)}, std::string{to_string(next)}}});
  phase_ = next;
  repeats_.clear();
  repeat_at_.clear();
}

bool handover::ask_again(step what, std::optional<errc> why) {
  const auto p = waits_for_store(what, why) ? of_a_store : patience_of(what);
  auto& n = repeats_[what];
  if (n >= p.repeats_max)
    return false;
  const auto delay = std::min(p.first_delay * (1U << std::min(n, 10U)), p.delay_max);
  ++n;
  repeat_at_[++timer_generation_] = what;
  out_.push_back(wait{timer_generation_, delay});
  return true;
}

void handover::repeat(step what) {
  if (!outstanding_.insert(what).second)
    return;
  out_.push_back(send{side_of(what), what, body_of(what), deadline_of(what), attempts_});
}

void handover::cancel_streaming() {
  if (repeats_.contains(step::cancel))
    return; // It is being repeated already.
  repeat(step::cancel);
}

void handover::give_back_streams() {
  if (holds_streams_ || phase_ == phase::queued)
    out_.push_back(give_back{permit_set::stream});
  holds_streams_ = false;
}

void handover::mark(std::string_view what, const node_id& node, std::optional<wall_time> at) {
  if (at)
    out_.push_back(note{pause_mark{order_.vm, number(), node, std::string{what}, *at}});
}

void handover::end_with(verdict end, std::string reason) {
  give_back_streams();
  transition_to(phase::ended);
  migration_result r{
    order_.vm,         order_.source, order_.target,
    number(),          order_.how,    end,
    std::move(reason), figures(),     begun_at_ ? drover::seconds(now_ - *begun_at_) : 0};
  migration_ended note_of_end{
    r.vm,
    r.number,
    r.source,
    r.target,
    std::string{to_string(end)},
    r.reason,
    r.how,
    r.figures.pause_s,
    r.figures.blackout_s,
    r.figures.handover_s,
    r.total_s,
    r.figures.bytes};
  note_of_end.budget_s = budget_s();
  if (r.figures.pause_error_s > 0)
    note_of_end.pause_error_s = r.figures.pause_error_s;
  if (!r.figures.pause_unknown.empty())
    note_of_end.pause_unknown = r.figures.pause_unknown;
  out_.push_back(note{std::move(note_of_end)});
  out_.push_back(give_back{permit_set::prepare});
  out_.push_back(finish{std::move(r)});
}

std::optional<double> handover::budget_s() const {
  if (!source_)
    return std::nullopt;
  return drover::seconds(milliseconds{ladder_.budget_ms()});
}

migration_figures handover::figures() const {
  migration_figures f;
  f.bytes = transferred_bytes_;
  if (source_end_)
    f.bytes = std::max(f.bytes, source_end_->transferred_bytes);
  if (!source_end_ || !target_end_ || !taken_over_)
    return f;
  const host_moment stopped{
    order_.source, source_end_->stopped, source_end_->clock_shift, source_clock_};
  const host_moment loaded{
    order_.target, target_end_->ended, target_end_->clock_shift, target_clock_};
  const host_moment resumed{
    order_.target, taken_over_->resumed, taken_over_->clock_shift, target_clock_};
  const auto since = begun_at_.value_or(now_);
  f.blackout_s = span_between(stopped, loaded, since).length_s;
  f.handover_s = span_between(loaded, resumed, since).length_s;
  auto pause = span_between(stopped, resumed, since);
  f.pause_s = pause.length_s;
  f.pause_error_s = pause.error_s;
  f.pause_unknown = std::move(pause.unknown);
  return f;
}

side handover::side_of(step what) const {
  switch (what) {
  case step::receive:
  case step::target_outcome:
  case step::see:
  case step::take_over:
  case step::claim:
  case step::settle_target:
  case step::void_target:
    return side::target;
  default:
    return side::source;
  }
}

/// The source's agent tells what its QEMU can do; one of before 1.2 tells nothing.
std::uint32_t handover::channels_of_source() const {
  return std::min(order_.channels, source_->channels_max.value_or(1));
}

void handover::note_if_narrowed(const node_id& node, std::uint32_t asked, std::uint32_t channels) {
  if (channels < asked)
    out_.push_back(note{stream_narrowed{order_.vm, number(), node, asked, channels}});
}

wire::request_body handover::body_of(step what) const {
  if (what == step::begin)
    return wire::begin_handover{order_.vm, order_.target, order_.how, order_.controller};
  DROVER_CHECK(ticket_.has_value(), "every step after `begin` carries the ticket");
  const ticket& t = *ticket_;
  switch (what) {
  case step::receive:
    return wire::receive{
      t,
      source_->config,
      source_->facts,
      source_->was_paused,
      order_.kind,
      channels_of_source() > 1 ? std::optional{channels_of_source()} : std::nullopt};
  case step::stream:
    return wire::stream{
      t,
      door_->host,
      door_->port,
      door_->token,
      source_->bandwidth_bytes_per_s,
      ladder_.limit_ms(),
      door_->boot_id,
      door_->key,
      door_->channels};
  case step::source_outcome:
  case step::target_outcome:
    return wire::await_outcome{{t}};
  case step::cancel:
    return wire::cancel_stream{{t}};
  case step::limit:
    return wire::set_downtime_limit{t, ladder_.limit_ms()};
  case step::move:
    return wire::move_config{{t}};
  case step::take_over:
    return wire::take_over{{t}};
  case step::see:
  case step::claim:
    return wire::await_claim{{t}};
  case step::release:
    return wire::release_source{{t}};
  case step::void_target:
    return wire::void_handover{{t}};
  case step::continue_source:
    return wire::continue_source{t, proof_.value_or(wire::voided{})};
  default:
    return wire::settle{{t}};
  }
}

milliseconds handover::copy_time_max() const {
  // 4 MiB/s is slower than any network that one would migrate over; two minutes on top for small
  // VMs on a busy host. With a bandwidth limit, memory may be sent four times over.
  constexpr std::uint64_t slowest_bytes_per_s = 4 * 1024 * 1024;
  auto time_max_s = 120 + order_.memory_bytes / slowest_bytes_per_s;
  if (source_ && source_->bandwidth_bytes_per_s > 0)
    time_max_s += 4 * order_.memory_bytes / source_->bandwidth_bytes_per_s;
  return whole_seconds{static_cast<std::int64_t>(time_max_s)};
}

milliseconds handover::deadline_of(step what) const {
  switch (what) {
  case step::source_outcome:
  case step::target_outcome:
    // After a cancel the end is near; before it, the copy takes what it takes.
    return cancel_reason_ ? milliseconds{whole_seconds{30}} : copy_time_max();
  case step::receive:
  case step::see:
  case step::claim:
    return whole_seconds{60};
  case step::move:
  case step::take_over:
    // An agent gives up the cluster's lock after 90 s, and says so.
    return whole_seconds{order_.how == policy::lock ? 120 : 30};
  case step::cancel:
  case step::limit:
    return whole_seconds{10};
  case step::void_target:
  case step::continue_source:
    return whole_seconds{15};
  default:
    return whole_seconds{
      30}; // A store call may hang for 8 s when a node dies, and several are needed.
  }
}

} // namespace drover
