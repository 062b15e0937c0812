#include "runtime/agent/agent.hpp"
#include "runtime/agent/looks.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

using wire::run_state;

/// After this what is in flight stays as it is; `drover status` shows it.
constexpr nanoseconds patience = std::chrono::seconds{60};
/// For so long a controller whose link has broken may come back: a restart of an sshd, a few tries
/// to log in again.
constexpr nanoseconds return_patience = std::chrono::seconds{10};

/// A copy that does not run and waits for what its handover brings.
bool is_leftover(run_state state) {
  return state == run_state::incoming || state == run_state::postmigrate;
}

/// Nothing that asking again would change.
bool is_final(const result<done>& ended) { return ended || ended.error().code == errc::refused; }

} // namespace

/// The ticket of the handover that the record tells of. One that is settled was under way once, and
/// the source's tear-down may still be due.
ticket agent::ticket_of(handover_record record) {
  record.state = record_state::moving;
  return ticket_issuer::issue(record);
}

void agent::controller_gone() {
  if (std::exchange(gone_, true))
    return;
  gone_until_ = timers_.now() + patience;
  return_until_ = timers_.now() + return_patience;
  tasks_.spawn(outlive_controller());
}

task<done> agent::outlive_controller() {
  // Requests that wait look whether the controller is gone; the others end with their driver call.
  notify_all();
  while (!in_progress_.empty() && !abandoned())
    co_await changed(vm_id{}, event_pause);

  if (settings_.access == agent_access::control && !broken_) {
    co_await drop_stale_lock();
    const auto records = co_await own_records();
    if (records)
      for (const auto& [vm, record] : *records)
        finish(record);
    while (!finishing_.empty())
      co_await changed(vm_id{}, event_pause);
  }
  if (cordon_) {
    const auto holder = std::exchange(cordon_, std::nullopt)->holder;
    co_await store_.drop_lock(cordon_lock(), holder);
  }
  if (on_finished)
    on_finished();
  co_return done{};
}

/// A controller has come: what others have left here is brought to an end beside its requests. Its
/// own handovers it goes on with itself.
task<done> agent::adopt() {
  // A target that was received just before its agent died may not have seen its record yet. A
  // barrier that fails changes nothing: the view is read all the same.
  const auto machines = machines_.list();
  if (std::any_of(machines.begin(), machines.end(), [this](const auto& one) {
        return state_of(one) == run_state::incoming;
      }))
    co_await store_.barrier();
  co_await drop_stale_lock();
  co_await drop_stale_cordon();
  const auto records = co_await own_records();
  surveying_ = false;
  if (records)
    for (const auto& [vm, record] : *records) {
      const auto copy = machines_.find(vm);
      const bool left_over =
        record.state == record_state::settled && copy && state_of(*copy) == run_state::incoming;
      if (record.controller != controller_ || left_over)
        finish(record);
    }
  notify(vm_id{});
  look_for_leftovers();
  watch_half_begun();
  watch_settled();
  need_quorum();
  co_return done{};
}

/// True where something of the handover can be left here.
bool agent::concerns(const handover_record& record) const {
  const auto found = machines_.find(record.vm);
  if (record.state == record_state::settled)
    return found.has_value();
  return record.source == settings_.node || record.target == settings_.node ||
         (found && is_leftover(state_of(*found)));
}

/// The last handover of each VM in which this node had a part, or of which it has a copy that
/// waits. Its own writes are always visible, and a target has waited for its record, so the own
/// view is enough.
task<result<std::map<vm_id, handover_record>>> agent::own_records() {
  for (;;) {
    auto records = co_await store_.records();
    if (records) {
      const auto forgotten = co_await forgotten_records(*records);
      std::erase_if(*records, [this](const auto& entry) { return !concerns(entry.second); });
      for (const auto& [vm, record] : forgotten)
        (*records)[vm] = record;
      co_return records;
    }
    if (abandoned())
      co_return records;
    co_await sleep(look_pause);
  }
}

void agent::finish(handover_record record) {
  const auto vm = record.vm;
  if (!finishing_.emplace(vm, record.controller).second)
    return;
  tasks_.spawn([](agent& self, handover_record one) -> task<done> {
    const auto ending = one.vm;
    co_await self.orphan(std::move(one));
    self.finishing_.erase(ending);
    self.notify(ending);
    self.notify(vm_id{});
    co_return done{};
  }(*this, std::move(record)));
}

/// One handover to its end, by what is published alone: the source's final state and the record. So
/// it stays right whoever else is at work, another controller at the other node included.
task<done> agent::orphan(handover_record record) {
  co_await end_superseded(record);
  const auto t = ticket_of(record);
  const bool source = record.source == settings_.node;
  if (record.state == record_state::settled) {
    if (source && facts_of(t).machine == run_state::postmigrate)
      co_await release_when_settled(std::move(record));
    co_return done{};
  }
  if (source)
    co_await orphan_source(std::move(record));
  else if (record.target == settings_.node)
    co_await orphan_target(std::move(record));
  co_return done{};
}

/// A copy of an epoch that is over waits in vain: a target for its stream, a source for its
/// release. A newer epoch was begun where the VM runs, and a source that is still complete has not
/// gone on.
task<done> agent::end_superseded(handover_record record) {
  const auto found = machines_.find(record.vm);
  if (!found || !is_leftover(state_of(*found)) || found->number > record.number)
    co_return done{};
  const bool receives = state_of(*found) == run_state::incoming;
  const bool settled = record.state == record_state::settled;
  if (found->number == record.number && !(receives && settled))
    co_return done{};
  for (auto pause = look_pause; !abandoned(); pause = longer(pause)) {
    auto marks = marks_of(record.vm);
    marks.seen = std::max(marks.seen, found->number);
    if (receives)
      marks.voided = std::max(marks.voided, found->number);
    if (mark(record.vm, marks)) {
      co_await machine_.kill(record.vm);
      break;
    }
    co_await sleep(pause);
    const auto now = machines_.find(record.vm);
    if (!now || now->number != found->number || state_of(*now) != state_of(*found))
      break;
  }
  co_return done{};
}

/// S: before the switchover the stream is cancelled and the VM stays, unless its controller comes
/// back; after it, the target is told through the record that this side never moves again.
task<done> agent::orphan_source(handover_record record) {
  const auto t = ticket_of(record);
  if (record.controller == controller_)
    co_await await_return(t);
  if (giving_way_)
    co_return done{};
  if (facts_of(t).stream == stream_phase::running)
    co_await machine_.cancel_stream(t.vm(), t.number()); // refused once the vCPUs have stopped
  while (facts_of(t).stream == stream_phase::running && !abandoned())
    co_await changed(t.vm(), event_pause);
  const auto facts = facts_of(t);
  if (facts.machine == run_state::postmigrate && facts.machine_number == t.number()) {
    co_await release_when_settled(std::move(record));
    co_return done{};
  }
  // A QEMU that is gone, or that still streams, is left for people to look at.
  if (facts.machine == run_state::running || facts.machine == run_state::paused)
    co_await settle_alone(t);
  co_return done{};
}

/// Also brings back a config that was moved early. The other side may have published something at
/// the same moment and so opened the record again: it is looked at once more.
task<done> agent::settle_alone(ticket t) {
  for (auto pause = look_pause;; pause = longer(pause)) {
    const auto settled = co_await settle(t, mono_time::max());
    if ((!settled && is_final(settled)) || abandoned())
      co_return done{};
    co_await sleep(pause);
    if (!settled)
      continue;
    const auto seen = co_await store_.view_behind_barrier(t.vm());
    const auto* word = seen && seen->record ? &*seen->record : nullptr;
    if (word && (word->number != t.number() || word->state == record_state::settled))
      co_return done{};
  }
}

/// The record once more, with what this side has to say; what the other side has said meanwhile is
/// not overwritten, `word` being looked at behind a barrier just now.
task<result<done>> agent::publish(handover_record word, source_outcome outcome) {
  word.outcome = outcome;
  if (outcome == source_outcome::voided)
    word.target_boot_id = settings_.boot_id;
  auto written = co_await store_.write_record(word);
  co_return written;
}

/// S: its word, as often as the store has not got it or has forgotten it.
task<done> agent::publish_completed(handover_record record) {
  const auto seen = co_await store_.view_behind_barrier(record.vm);
  if (!seen)
    co_return done{};
  const auto& word = seen->record;
  const bool known = word && word->number == record.number;
  const bool newer = word && word->number > record.number;
  if (
    newer || (known && (word->state == record_state::settled ||
                        word->outcome != source_outcome::unpublished)))
    co_return done{};
  co_await publish(known ? *word : record, source_outcome::completed);
  co_return done{};
}

/// S after its switchover. That the target owns the config does not say that it runs, since under
/// most policies the config moves first; the record says it, which the target settles afterwards.
task<done> agent::release_when_settled(handover_record record) {
  const auto t = ticket_of(record);
  record = handover_record{t.vm(),     t.number(), record_state::moving, t.source(),
                           t.target(), t.how(),    record.controller};
  for (auto pause = look_pause;; pause = longer(pause)) {
    const auto facts = facts_of(t);
    if (facts.machine != run_state::postmigrate || facts.machine_number != t.number())
      co_return done{};
    co_await publish_completed(record);
    const auto seen = co_await store_.view_behind_barrier(t.vm());
    const auto* word = seen && seen->record ? &*seen->record : nullptr;
    if (word && word->number > t.number())
      co_return done{};
    const bool here = word && word->number == t.number();
    const bool settled = here && word->state == record_state::settled;
    if (settled && word->outcome != source_outcome::completed)
      co_return done{};
    if (settled && seen->owner == t.target()) {
      const auto released = co_await release(t);
      if (is_final(released))
        co_return done{};
    }
    if (here && !settled && word->outcome == source_outcome::voided) {
      wire::voided proof;
      proof.number = t.number();
      proof.boot_id = word->target_boot_id;
      const auto runs = co_await go_on(t, proof, mono_time::max());
      if (runs || facts_of(t).machine == run_state::running) {
        co_await settle_alone(t);
        co_return done{};
      }
    }
    if (abandoned())
      co_return done{};
    co_await changed(t.vm(), pause);
  }
}

} // namespace drover
