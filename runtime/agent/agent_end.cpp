#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <utility>

namespace drover {

using wire::run_state;

/// S: its QEMU has done its part. Nothing of the VM is taken away before the target owns it.
task<agent::answered> agent::handle(wire::release_source asked, mono_time) {
  const auto t = asked.evidence;
  pauses_.erase(t.vm());
  const auto seen = co_await look_behind_barrier(t.vm());
  if (!seen)
    co_return tl::unexpected{seen.error()};
  auto facts = facts_of(t);
  facts.view = *seen;
  if (const auto verdict = judge(operation::release, t, facts); !verdict)
    co_return tl::unexpected{verdict.error()};
  if (const auto saved = mark_seen(t); !saved)
    co_return tl::unexpected{saved.error()};
  const auto gone = co_await machine_.quit(t.vm());
  if (!gone)
    co_return tl::unexpected{gone.error()};
  co_return wire::accepted{};
}

task<agent::answered> agent::handle(wire::settle asked, mono_time) {
  const auto settled = co_await settle(asked.evidence);
  if (!settled)
    co_return tl::unexpected{settled.error()};
  co_return wire::accepted{};
}

/// At the owner: first the lock, then the record, so that a crash between the two leaves nothing
/// that the next begin would not overtake.
task<result<done>> agent::settle(ticket t) {
  const auto seen = co_await look_behind_barrier(t.vm());
  if (!seen)
    co_return tl::unexpected{seen.error()};
  auto facts = facts_of(t);
  facts.view = *seen;
  if (const auto verdict = judge(operation::settle, t, facts); !verdict)
    co_return verdict;
  const auto& before = seen->record;
  const bool settled_already =
    before && before->number == t.number() && before->state == record_state::settled;
  const auto unlocked = co_await unlock(t.vm());
  if (!unlocked || settled_already)
    co_return unlocked;
  handover_record record;
  if (before)
    record = *before;
  record.vm = t.vm();
  record.number = t.number();
  record.state = record_state::settled;
  record.source = t.source();
  record.target = t.target();
  record.how = t.how();
  record.outcome = t.source() == settings_.node ? source_outcome::kept : source_outcome::completed;
  auto written = co_await store_.write_record(record);
  co_return written;
}

task<agent::answered> agent::handle(wire::void_handover asked, mono_time) {
  const auto t = asked.evidence;
  const auto gone = co_await void_epoch(t);
  if (!gone)
    co_return tl::unexpected{gone.error()};
  co_return wire::voided{t.number(), settings_.boot_id, marks_of(t.vm()).run};
}

/// T: the mark first, since it is the fence; then the QEMU that nobody may resume any more.
task<result<done>> agent::void_epoch(ticket t) {
  if (const auto verdict = judge(operation::void_epoch, t, facts_of(t)); !verdict)
    co_return verdict;
  auto marks = marks_of(t.vm());
  marks.voided = std::max(marks.voided, t.number());
  marks.seen = std::max(marks.seen, t.number());
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return saved;
  pauses_.erase(t.vm());
  // Also one that is being started by a request under way: it is killed again by that request.
  const auto found = machines_.find(t.vm());
  if (!found || state_of(*found) != run_state::incoming || found->number > t.number())
    co_return done{};
  auto killed = co_await machine_.kill(t.vm());
  co_return killed;
}

/// S runs again, on the proof that T never will; a config that has moved already comes back.
task<agent::answered> agent::handle(wire::continue_source asked, mono_time until) {
  const auto t = asked.evidence;
  auto facts = facts_of(t);
  facts.proof = asked.proof;
  if (const auto verdict = judge(operation::continue_source, t, facts); !verdict)
    co_return tl::unexpected{verdict.error()};
  auto marks = marks_of(t.vm());
  marks.seen = std::max(marks.seen, t.number());
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return tl::unexpected{saved.error()};
  pauses_.erase(t.vm());
  if (facts.machine != run_state::running) {
    const auto resumed = co_await machine_.resume(t.vm());
    if (!resumed)
      co_return tl::unexpected{resumed.error()};
  }
  const auto seen = co_await look_behind_barrier(t.vm());
  if (!seen)
    co_return tl::unexpected{seen.error()};
  if (seen->owner == t.source())
    co_return wire::accepted{};
  const auto back = co_await bring_config(t, t.target(), t.source(), until);
  if (!back)
    co_return tl::unexpected{back.error()};
  co_return wire::accepted{};
}

} // namespace drover
