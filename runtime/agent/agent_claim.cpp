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

/// S, policies check and nocheck. This write is inside the pause: nothing is read before it.
task<agent::answered> agent::handle(wire::move_config asked, mono_time) {
  const auto t = asked.evidence;
  const auto verdict = judge(operation::move, t, facts_of(t));
  if (!verdict)
    co_return tl::unexpected{verdict.error()};
  const auto moved = co_await store_.move(t.vm(), t.source(), t.target());
  pauses_.erase(t.vm());
  if (moved)
    co_return wire::accepted{};
  // The error does not say whether it was done; the place does.
  const auto seen = co_await look_behind_barrier(t.vm());
  if (seen && seen->owner == t.target())
    co_return wire::accepted{};
  co_return tl::unexpected{moved.error()};
}

/// T: answered when the own view shows T as owner.
task<agent::answered> agent::handle(wire::await_claim asked, mono_time until) {
  const auto t = asked.evidence;
  if (t.how() == policy::check || t.how() == policy::nocheck) {
    const auto seen = co_await see_owner(t.vm(), until);
    if (!seen)
      co_return tl::unexpected{seen.error()};
    co_return *seen;
  }
  const auto verdict = judge(operation::claim, t, facts_of(t));
  if (!verdict)
    co_return tl::unexpected{verdict.error()};
  start_claim(t);
  for (;;) {
    const auto& state = claims_.at(t.vm());
    if (state.number != t.number())
      co_return fail(errc::refused, "epoch " + to_string(t.number()) + " is over");
    if (state.end) {
      if (!*state.end)
        co_return tl::unexpected{state.end->error()};
      co_return **state.end;
    }
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
/// is the place that the own view shows behind a barrier.
task<result<wire::claimed>> agent::bring_config(
  ticket t, node_id from, node_id to, mono_time until) {
  for (auto pause = claim_pause_min;; pause = std::min(2 * pause, claim_pause_max)) {
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
    if (marks_of(t.vm()).highest() > t.number())
      co_return fail(errc::refused, "epoch " + to_string(t.number()) + " is over");
    if (timers_.now() + pause >= until || abandoned())
      co_return tl::unexpected{moved.error()};
    co_await sleep(pause);
  }
}

task<result<wire::claimed>> agent::see_owner(vm_id vm, mono_time until) {
  for (auto pause = view_pause_min;; pause = std::min(2 * pause, view_pause_max)) {
    // A barrier that fails changes nothing: the view is read all the same.
    co_await store_.barrier();
    const auto owner = co_await store_.owner(vm);
    if (owner && *owner == settings_.node)
      co_return wire::claimed{settings_.wall_now()};
    if (timers_.now() + pause >= until || gone_)
      co_return fail(
        errc::timeout,
        "the view of " + settings_.node.value + " does not show VM " + to_string(vm) + " here yet");
    co_await sleep(pause);
  }
}

} // namespace drover
