#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

// How often a claim is tried again.
constexpr nanoseconds claim_pause_min = std::chrono::milliseconds{50};
constexpr nanoseconds claim_pause_max = std::chrono::seconds{2};
// How often a view is read until it shows another node's move.
constexpr nanoseconds view_pause_min = std::chrono::milliseconds{5};
constexpr nanoseconds view_pause_max = std::chrono::milliseconds{100};

} // namespace

/// S. Under check, nocheck and lock this write is inside the pause: nothing is read before it.
task<agent::answered> agent::handle(wire::move_config asked, mono_time until) {
  const auto t = asked.evidence;
  const auto verdict = judge(operation::move, t, facts_of(t));
  if (!verdict)
    co_return tl::unexpected{verdict.error()};
  auto moving = t.how() == policy::lock ? move_under_lock(t, until) : move_away(t);
  const auto moved = co_await std::move(moving);
  pauses_.erase(t.vm());
  co_return accepted_if(moved);
}

task<result<done>> agent::move_away(ticket t) {
  auto moved = co_await store_.move(t.vm(), t.source(), t.target());
  if (moved)
    co_return moved;
  // The error does not say whether it was done; the place does.
  const auto seen = co_await store_.view_behind_barrier(t.vm());
  if (seen && seen->owner == t.target())
    co_return done{};
  co_return moved;
}

/// T: answered when the own view shows T as owner.
task<agent::answered> agent::handle(wire::await_claim asked, mono_time until) {
  const auto t = asked.evidence;
  const bool early = t.how() == policy::early && marks_of(t.vm()).run < t.number();
  if (target_moves_config(t.how()))
    if (const auto verdict = judge(operation::claim, t, facts_of(t)); !verdict)
      co_return tl::unexpected{verdict.error()};
  auto waiting = early                          ? note_owner(t, until)
                 : target_moves_config(t.how()) ? claim_end(t, until)
                                                : see_owner(t, until);
  const auto seen = co_await std::move(waiting);
  if (!seen)
    co_return tl::unexpected{seen.error()};
  co_return *seen;
}

/// Starts or joins the claim, and waits for its end.
task<result<wire::claimed>> agent::claim_end(ticket t, mono_time until) {
  start_claim(t);
  for (;;) {
    const auto& state = claims_.at(t.vm());
    if (state.number != t.number())
      co_return fail(errc::refused, "epoch " + to_string(t.number()) + " is over");
    if (state.end)
      co_return *state.end;
    if (timers_.now() >= until || gone_)
      co_return fail(errc::timeout, "the config of " + to_string(t) + " is not claimed yet");
    co_await changed(t.vm(), until - timers_.now());
  }
}

/// Joins the claim that is under way or has succeeded; one that failed is begun again.
void agent::start_claim(const ticket& t) {
  const auto found = claims_.find(t.vm());
  if (
    found != claims_.end() && found->second.number == t.number() &&
    (!found->second.end || *found->second.end))
    return;
  claims_[t.vm()] = claim_state{t.number(), std::nullopt};
  tasks_.spawn(claim(t));
}

task<done> agent::claim(ticket t) {
  auto end = co_await bring_config(t, t.source(), t.target(), mono_time::max());
  auto& state = claims_.at(t.vm());
  if (state.number == t.number())
    state.end = std::move(end);
  notify(t.vm());
  co_return done{};
}

/// Moves the config until it is where the VM runs. An error of the move says nothing: what counts
/// is the place that the own view shows behind a barrier. Nothing waits between the look at the
/// marks and the move, so that an epoch that was made void is followed by none.
task<result<wire::claimed>> agent::bring_config(
  ticket t, node_id from, node_id to, mono_time until) {
  for (auto pause = claim_pause_min;; pause = std::min(2 * pause, claim_pause_max)) {
    const auto marks = marks_of(t.vm());
    if (marks.highest() > t.number() || (to == t.target() && marks.voided >= t.number()))
      co_return fail(errc::refused, "epoch " + to_string(t.number()) + " is over");
    const auto moved = co_await store_.move(t.vm(), from, to);
    if (moved)
      co_return wire::claimed{settings_.wall_now()};
    // Without quorum the barrier fails too; the view may still know that an earlier try is in.
    co_await store_.barrier();
    const auto owner = co_await store_.owner(t.vm());
    if (owner && *owner == to)
      co_return wire::claimed{settings_.wall_now()};
    if (owner && *owner && *owner != from)
      co_return fail(
        errc::conflict, "the config of VM " + to_string(t.vm()) + " is on " + (*owner)->value +
                          ", not on " + from.value);
    if (timers_.now() + pause >= until || abandoned())
      co_return tl::unexpected{moved.error()};
    co_await sleep(pause);
  }
}

/// T, where S moves the config: waits until the own view shows it here. A move that was taken back
/// (a partition that heals may do that to one that was answered) is made again by T, once it runs.
task<result<wire::claimed>> agent::see_owner(ticket t, mono_time until) {
  for (auto pause = view_pause_min;; pause = std::min(2 * pause, view_pause_max)) {
    // A barrier that fails changes nothing: the view is read all the same.
    const auto passed = co_await store_.barrier();
    const auto owner = co_await store_.owner(t.vm());
    if (owner && *owner == settings_.node)
      co_return wire::claimed{settings_.wall_now()};
    const auto marks = marks_of(t.vm());
    if (passed && owner && *owner == t.source() && marks.run == t.number()) {
      auto brought = co_await bring_config(t, t.source(), t.target(), until);
      co_return brought;
    }
    if (marks.voided >= t.number())
      co_return fail(errc::refused, "epoch " + to_string(t.number()) + " is over");
    if (timers_.now() + pause >= until || gone_)
      co_return fail(
        errc::timeout, "the view of " + settings_.node.value + " does not show VM " +
                         to_string(t.vm()) + " here yet");
    co_await sleep(pause);
  }
}

/// T under `early`, before the stream: what the view shows now is the evidence of the resume, so
/// that nothing is read inside the pause.
task<result<wire::claimed>> agent::note_owner(ticket t, mono_time until) {
  if (t.target() != settings_.node)
    co_return fail(
      errc::invalid, "the ticket " + to_string(t) + " is for other nodes", settings_.node.value);
  const auto seen = co_await see_owner(t, until);
  if (!seen)
    co_return seen;
  if (const auto open = still_open(t); !open)
    co_return tl::unexpected{open.error()};
  auto marks = marks_of(t.vm());
  marks.owned = t.number();
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return tl::unexpected{saved.error()};
  co_return seen;
}

} // namespace drover
