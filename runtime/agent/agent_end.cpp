#include "runtime/agent/agent.hpp"
#include "runtime/agent/looks.hpp"

#include <algorithm>
#include <utility>

namespace drover {

using wire::run_state;

namespace {

/// A store without quorum refuses too, but only for now: what is passed on as `refused` is the
/// guard's word, which is final.
tl::unexpected<error> of_store(error why) {
  if (why.code == errc::refused)
    why.code = errc::retry;
  return tl::unexpected{std::move(why)};
}

} // namespace

/// S: its QEMU has done its part. Nothing of the VM is taken away before the target owns it.
task<agent::answered> agent::handle(wire::release_source asked, mono_time) {
  const auto released = co_await release(asked.evidence);
  co_return accepted_if(released);
}

task<result<done>> agent::release(ticket t) {
  pauses_.erase(t.vm());
  const auto seen = co_await store_.view_behind_barrier(t.vm());
  if (!seen)
    co_return of_store(seen.error());
  auto facts = facts_of(t);
  facts.view = *seen;
  if (const auto verdict = judge(operation::release, t, facts); !verdict)
    co_return verdict;
  if (const auto saved = mark_seen(t); !saved)
    co_return saved;
  auto gone = co_await machine_.quit(t.vm());
  co_return gone;
}

task<agent::answered> agent::handle(wire::settle asked, mono_time until) {
  const auto settled = co_await settle(asked.evidence, until);
  co_return accepted_if(settled);
}

/// Before any look into the store: what still wants to stream or to move under this epoch comes too
/// late now, and what the store refuses is tried again when nobody asks any more.
result<done> agent::mark_settling(const ticket& t) {
  const auto facts = facts_of(t);
  const bool stays = judge(operation::revert, t, facts).has_value();
  const bool runs = facts.machine == run_state::running || facts.machine == run_state::paused;
  const bool came =
    runs && facts.marks.run == t.number() && judge(operation::claim, t, facts).has_value();
  if (!stays && !came)
    return done{};
  auto marks = facts.marks;
  if (stays)
    marks.voided = std::max(marks.voided, t.number());
  marks.settled = std::max(marks.settled, t.number());
  auto saved = mark(t.vm(), marks);
  if (saved)
    watch(t);
  return saved;
}

/// At the owner: first the lock, then the record, so that a crash between the two leaves nothing
/// that the next begin would not overtake.
task<result<done>> agent::settle(ticket t, mono_time until) {
  const auto marked = mark_settling(t);
  if (!marked)
    co_return marked;
  auto seen = co_await store_.view_behind_barrier(t.vm());
  if (!seen)
    co_return of_store(seen.error());
  if (seen->owner != settings_.node) {
    const auto placed = co_await put_in_place(t, *seen, until);
    if (!placed)
      co_return placed;
    seen = co_await store_.view(t.vm());
    if (!seen)
      co_return of_store(seen.error());
  }
  if (const auto verdict = judge(operation::settle, t, facts_now(t, *seen)); !verdict)
    co_return verdict;
  const auto& before = seen->record;
  const bool settled_already =
    before && before->number == t.number() && before->state == record_state::settled;
  const auto unlocked = co_await unlock(t.vm());
  if (!unlocked)
    co_return of_store(unlocked.error());
  if (settled_already)
    co_return done{};
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
  // A newer epoch may have begun here while this waited; its record is not overwritten.
  if (const auto verdict = judge(operation::settle, t, facts_now(t, *seen)); !verdict)
    co_return verdict;
  const auto written = co_await store_.write_record(record);
  if (!written)
    co_return of_store(written.error());
  // A partition that healed between the two writes has taken back the first one alone.
  const auto still_unlocked = co_await unlock(t.vm());
  if (!still_unlocked)
    co_return of_store(still_unlocked.error());
  co_return done{};
}

/// A config that is on the other side of the handover comes to where the VM runs: back to a source
/// that keeps it (it was moved early, or the source was continued), or once more to a target whose
/// claim was taken back by a partition that healed.
task<result<done>> agent::put_in_place(ticket t, const vm_view& seen, mono_time until) {
  const bool back = seen.owner == t.target() && judge(operation::revert, t, facts_of(t));
  const bool again = seen.owner == t.source() && marks_of(t.vm()).run == t.number() &&
                     judge(operation::claim, t, facts_of(t));
  // A healed partition has taken back this epoch and the one before it.
  const bool far =
    seen.owner && (!seen.record || seen.record->number < t.number()) &&
    (judge(operation::revert, t, facts_of(t)) ||
     (marks_of(t.vm()).run == t.number() && judge(operation::claim, t, facts_of(t))));
  if (!back && !again && !far)
    co_return done{}; // The guard says what forbids it.
  const auto brought = co_await bring_config(t, *seen.owner, settings_.node, until);
  if (!brought)
    co_return of_store(brought.error());
  co_return done{};
}

task<agent::answered> agent::handle(wire::void_handover asked, mono_time) {
  const auto t = asked.evidence;
  const auto gone = co_await void_epoch(t);
  if (!gone)
    co_return tl::unexpected{gone.error()};
  co_return proof_of_void(t);
}

/// A node that has rebooted has forgotten its marks together with its QEMUs, and may have let the
/// VM run before. So the proof names the epoch only where the mark of its barrier, which stands
/// since before the stream, is still there; without a stream nobody needs the proof.
wire::voided agent::proof_of_void(const ticket& t) const {
  const auto marks = marks_of(t.vm());
  const bool remembers = marks.barrier == t.number();
  return {remembers ? t.number() : epoch{}, settings_.boot_id, marks.run};
}

/// T: the mark first, since it is the fence; then the QEMU that nobody may resume any more. One
/// that has loaded everything would be the last copy if the source's host died now, so it ends only
/// when the source is known to run.
task<result<done>> agent::void_epoch(ticket t) {
  if (const auto verdict = judge(operation::void_epoch, t, facts_of(t)); !verdict)
    co_return verdict;
  auto marks = marks_of(t.vm());
  marks.voided = std::max(marks.voided, t.number());
  marks.seen = std::max(marks.seen, t.number());
  if (const auto saved = mark(t.vm(), marks); !saved) {
    // Its controller may give up asking and let the source run; then the copy has to go all the
    // same.
    tasks_.spawn(end_copy_when_over(t));
    co_return saved;
  }
  pauses_.erase(t.vm());
  // The source looks for its config once this is answered: no move of this node, made before the
  // mark and still on its way, may come after.
  if (facts_of(t).stream == stream_phase::completed) {
    auto passed = co_await store_.barrier();
    if (!passed)
      co_return of_store(passed.error());
  }
  // Also one that is being started by a request under way: it is killed again by that request.
  const auto found = machines_.find(t.vm());
  if (found && has_loaded(*found)) {
    tasks_.spawn(end_copy_when_over(t));
    co_return done{};
  }
  auto ended = co_await end_copy(t);
  co_return ended;
}

/// What has received up to the ticket's epoch and waits here.
task<result<done>> agent::end_copy(ticket t) {
  const auto found = machines_.find(t.vm());
  if (!found || state_of(*found) != run_state::incoming || found->number > t.number())
    co_return done{};
  auto killed = co_await machine_.kill(t.vm());
  co_return killed;
}

/// While there is a controller; without one the handover is finished by its record anyway.
task<done> agent::end_copy_when_over(ticket t) {
  if (!ending_.insert(t.vm()).second)
    co_return done{};
  for (auto pause = look_pause;; pause = longer(pause)) {
    co_await sleep(pause);
    const auto found = machines_.find(t.vm());
    if (gone_ || !found || state_of(*found) != run_state::incoming || found->number > t.number())
      break;
    const auto record = co_await store_.record(t.vm());
    if (record && *record && source_runs(**record, t)) {
      co_await end_copy(t);
      break;
    }
  }
  ending_.erase(t.vm());
  co_return done{};
}

task<agent::answered> agent::handle(wire::continue_source asked, mono_time until) {
  const auto gone_on = co_await go_on(asked.evidence, asked.proof, until, asked.assurance);
  co_return accepted_if(gone_on);
}

/// S runs again, on the proof that T never will, or stays paused if it was; a config that has moved
/// already comes back.
task<result<done>> agent::go_on(
  ticket t, wire::voided proof, mono_time until, std::optional<std::string> assurance) {
  auto facts = facts_of(t);
  facts.proof = std::move(proof);
  facts.assurance = std::move(assurance);
  if (const auto verdict = judge(operation::continue_source, t, facts); !verdict)
    co_return verdict;
  auto marks = marks_of(t.vm());
  marks.seen = std::max(marks.seen, t.number());
  const bool is_complete = facts.machine == run_state::postmigrate;
  const bool stays_paused = marks.paused == t.number();
  if (is_complete && stays_paused)
    marks.kept = t.number();
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return saved;
  pauses_.erase(t.vm());
  if (is_complete && !stays_paused) {
    const auto resumed = co_await machine_.resume(t.vm());
    if (!resumed)
      co_return tl::unexpected{resumed.error()};
  }
  const auto seen = co_await store_.view_behind_barrier(t.vm());
  if (!seen)
    co_return of_store(seen.error());
  if (seen->owner == t.source())
    co_return done{};
  const auto back = co_await bring_config(t, t.target(), t.source(), until);
  if (!back)
    co_return of_store(back.error());
  co_return done{};
}

} // namespace drover
