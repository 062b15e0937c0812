#include "runtime/agent/agent.hpp"
#include "runtime/agent/busy_vm.hpp"
#include "runtime/agent/facts_difference.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

using wire::run_state;

// How often the own view is read again until it shows the record.
constexpr nanoseconds view_pause_min = std::chrono::milliseconds{5};
constexpr nanoseconds view_pause_max = std::chrono::milliseconds{100};

} // namespace

task<agent::answered> agent::handle(wire::receive asked, mono_time until) {
  const auto t = asked.evidence;
  const busy_vm busy{busy_, t.vm()};
  if (!busy.taken())
    co_return busy.refusal();
  // A QEMU that an older handover left is on its way out.
  while (finishing_.contains(t.vm()) && timers_.now() < until && !gone_)
    co_await changed(t.vm(), until - timers_.now());
  const auto free = co_await not_being_finished(t.vm(), until);
  if (!free)
    co_return tl::unexpected{free.error()};
  const auto open = co_await not_cordoned();
  if (!open)
    co_return tl::unexpected{open.error()};
  const auto seen = co_await store_.view(t.vm());
  if (!seen)
    co_return tl::unexpected{seen.error()};
  auto facts = facts_of(t);
  facts.view = *seen;
  if (const auto verdict = judge(operation::receive, t, facts); !verdict)
    co_return tl::unexpected{verdict.error()};
  auto marks = marks_of(t.vm());
  marks.seen = std::max(marks.seen, t.number());
  if (asked.was_paused)
    marks.paused = t.number();
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return tl::unexpected{saved.error()};
  // A higher epoch was begun where the VM runs, so what an older one has left here is void.
  if (const auto old = machines_.find(t.vm()); old && old->number < t.number())
    co_await end_copy(t);
  auto offer = co_await prepare(asked, until);
  if (offer)
    co_return std::move(*offer);
  // A receiving QEMU is single-use: the next attempt starts another one. One that has loaded
  // everything is not: this was asked twice, and it may be the last copy.
  const auto left = machines_.find(t.vm());
  if (
    left && left->state == run_state::incoming && left->number == t.number() && !has_loaded(*left))
    co_await machine_.kill(t.vm());
  co_return tl::unexpected{offer.error()};
}

task<result<wire::stream_offer>> agent::prepare(const wire::receive& asked, mono_time until) {
  const auto& t = asked.evidence;
  const auto waiting = co_await machine_.receive(t.vm(), t.number(), asked.config);
  if (!waiting)
    co_return tl::unexpected{waiting.error()};
  const auto same = co_await is_same_machine(asked);
  if (!same)
    co_return tl::unexpected{same.error()};
  const auto waited = co_await see_record(t, until);
  if (!waited)
    co_return tl::unexpected{waited.error()};
  // The epoch may have been declared void while this waited, here and below.
  if (auto open = still_open(t); !open)
    co_return tl::unexpected{open.error()};
  auto marks = marks_of(t.vm());
  marks.barrier = t.number();
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return tl::unexpected{saved.error()};
  const stream_form form{
    asked.kind.value_or(stream_kind::plain),
    std::clamp(asked.channels.value_or(1), 1U, machines_.channels_max(t.vm()))};
  const auto door = co_await machine_.open_door(t.vm(), t.number(), form);
  if (!door)
    co_return tl::unexpected{door.error()};
  if (auto open = still_open(t); !open)
    co_return tl::unexpected{open.error()};
  wire::stream_offer offer{door->host, door->port, door->token, *waited, settings_.boot_id};
  if (!door->key.empty())
    offer.key = door->key;
  if (door->channels > 1)
    offer.channels = door->channels;
  co_return offer;
}

/// Where its command line decides all that the source has, QEMU itself is not asked.
task<result<done>> agent::is_same_machine(const wire::receive& asked) {
  const auto vm = asked.evidence.vm();
  const auto planned = machines_.planned_facts(vm);
  if (planned && describe_difference(*planned, asked.facts).empty())
    co_return done{};
  const auto facts = co_await machine_.facts(vm);
  if (!facts)
    co_return tl::unexpected{facts.error()};
  if (const auto difference = describe_difference(*facts, asked.facts); !difference.empty())
    co_return fail(
      errc::refused, "the machine would not be the same on " + settings_.node.value, difference);
  co_return done{};
}

result<done> agent::still_open(const ticket& t) const {
  const auto marks = marks_of(t.vm());
  if (marks.voided >= t.number() || marks.seen > t.number())
    return fail(errc::refused, "epoch " + to_string(t.number()) + " is over");
  return done{};
}

/// The barrier: waits until the own view shows record e moving. Answers with the time in us.
task<result<std::uint32_t>> agent::see_record(const ticket& t, mono_time until) {
  const auto begin = timers_.now();
  auto seen = co_await store_.view_behind_barrier(t.vm());
  for (auto pause = view_pause_min;; pause = std::min(2 * pause, view_pause_max)) {
    if (!seen)
      co_return tl::unexpected{seen.error()};
    const auto& record = seen->record;
    if (record && record->number > t.number())
      co_return fail(
        errc::refused, "epoch " + to_string(t.number()) + " is over: epoch " +
                         to_string(record->number) + " is in the store");
    if (record && record->number == t.number()) {
      if (record->state != record_state::moving || record->target != t.target())
        co_return fail(
          errc::refused, "epoch " + to_string(t.number()) + " is over",
          std::string{to_string(record->state)});
      const auto waited =
        std::chrono::duration_cast<std::chrono::microseconds>(timers_.now() - begin);
      co_return static_cast<std::uint32_t>(waited.count());
    }
    if (gone_)
      co_return fail(errc::retry, "the agent is ending", settings_.node.value);
    if (timers_.now() + pause >= until)
      co_return fail(
        errc::timeout,
        "the view of " + settings_.node.value + " does not show epoch " + to_string(t.number()));
    co_await sleep(pause);
    seen = co_await store_.view(t.vm());
  }
}

/// The pause: between the last wait before the mark and `cont` nothing but one small write.
task<agent::answered> agent::handle(wire::take_over asked, mono_time until) {
  const auto t = asked.evidence;
  auto facts = facts_of(t);
  const auto gathered = co_await gather_evidence(t, facts, until);
  if (!gathered)
    co_return tl::unexpected{gathered.error()};
  auto taken = co_await let_run(t, facts);
  if (!taken)
    co_return tl::unexpected{taken.error()};
  if (t.how() == policy::nocheck) {
    // Only now that the VM runs: what a check would have seen.
    const auto owner = co_await store_.owner(t.vm());
    taken->raced = owner && *owner != settings_.node;
  }
  co_return *taken;
}

/// What the policy needs besides the marks. Under `ticket`, `early` and `nocheck` that is nothing,
/// and no store operation begins.
task<result<done>> agent::gather_evidence(const ticket& t, guard_facts& facts, mono_time until) {
  if (t.how() == policy::check) {
    const auto owner = co_await store_.owner(t.vm());
    if (!owner)
      co_return tl::unexpected{owner.error()};
    facts.view = vm_view{*owner, std::nullopt};
  }
  if (t.how() == policy::lock) {
    const auto seen = co_await look_under_lock(t, until);
    if (!seen)
      co_return tl::unexpected{seen.error()};
    facts.view = *seen;
  }
  if (t.how() == policy::claim) {
    if (const auto verdict = judge(operation::claim, t, facts); !verdict)
      co_return tl::unexpected{verdict.error()};
    const auto brought = co_await bring_config(t, t.source(), t.target(), until);
    if (!brought)
      co_return tl::unexpected{brought.error()};
    claims_[t.vm()] = claim_state{t.number(), brought};
    facts.claimed = true;
  }
  co_return done{};
}

task<result<wire::taken_over>> agent::let_run(ticket t, guard_facts facts) {
  // The evidence may have been gathered over a wait; the marks and QEMU are read again.
  const auto gathered = std::move(facts);
  facts = facts_of(t);
  facts.view = gathered.view;
  facts.claimed = gathered.claimed;
  if (const auto verdict = judge(operation::resume, t, facts); !verdict)
    co_return tl::unexpected{verdict.error()};
  auto marks = facts.marks;
  marks.run = t.number();
  marks.seen = std::max(marks.seen, t.number());
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return tl::unexpected{saved.error()};
  wire::taken_over answer;
  if (marks.paused == t.number()) {
    answer.state = run_state::paused;
  } else {
    const auto resumed = co_await machine_.resume(t.vm());
    if (!resumed)
      co_return tl::unexpected{resumed.error()};
    answer.resumed = *resumed;
    answer.clock_shift = read_clocks().shift();
  }
  pauses_.erase(t.vm());
  if (t.how() == policy::ticket)
    start_claim(t);
  co_return answer;
}

} // namespace drover
