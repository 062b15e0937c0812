#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

using wire::run_state;

/// After this what is in flight stays as it is; `drover status` shows it.
constexpr nanoseconds patience = std::chrono::seconds{60};
/// How often the record is read for what the source has published.
constexpr nanoseconds record_pause = std::chrono::milliseconds{50};
/// How long a wait for an event goes on before everything is looked at again.
constexpr nanoseconds event_pause = std::chrono::milliseconds{200};

} // namespace

void agent::controller_gone() {
  if (std::exchange(gone_, true))
    return;
  gone_until_ = timers_.now() + patience;
  tasks_.spawn(outlive_controller());
}

void agent::give_way() { giving_way_ = true; }

bool agent::abandoned() const { return gone_ && (giving_way_ || timers_.now() >= gone_until_); }

task<done> agent::outlive_controller() {
  // Requests that wait look whether the controller is gone; the others end with their driver call.
  std::set<vm_id> waiting;
  for (const auto& [vm, waiter] : waiters_)
    waiting.insert(vm);
  for (const auto vm : waiting)
    notify(vm);
  while (!in_progress_.empty() && !abandoned())
    co_await changed(vm_id{}, event_pause);

  if (settings_.access == agent_access::control && !broken_) {
    const auto records = co_await own_records();
    std::size_t left = records ? records->size() : 0;
    if (records)
      for (const auto& [vm, record] : *records)
        tasks_.spawn([](agent& self, handover_record one, std::size_t& open) -> task<done> {
          co_await self.orphan(std::move(one));
          --open;
          self.notify(vm_id{});
          co_return done{};
        }(*this, record, left));
    while (left > 0)
      co_await changed(vm_id{}, event_pause);
  }
  if (cordon_) {
    const auto holder = std::exchange(cordon_, std::nullopt)->holder;
    co_await store_.drop_lock("drover-cordon-" + settings_.node.value, holder);
  }
  if (on_finished)
    on_finished();
  co_return done{};
}

/// The last handover of each VM in which this node had a part. Its own writes are always visible,
/// and a target has waited for its record, so the own view is enough.
task<result<std::map<vm_id, handover_record>>> agent::own_records() {
  for (;;) {
    auto records = co_await store_.records();
    if (records) {
      std::erase_if(*records, [this](const auto& entry) {
        return entry.second.source != settings_.node && entry.second.target != settings_.node;
      });
      co_return records;
    }
    if (abandoned())
      co_return records;
    co_await sleep(record_pause);
  }
}

task<done> agent::orphan(handover_record record) {
  if (record.state == record_state::settled)
    co_await orphan_ended(std::move(record));
  else if (record.source == settings_.node)
    co_await orphan_source(std::move(record));
  else
    co_await orphan_target(std::move(record));
  co_return done{};
}

/// The source has settled already: a QEMU that still waits for its stream waits in vain.
task<done> agent::orphan_ended(handover_record record) {
  const auto found = machines_.find(record.vm);
  if (!found || state_of(*found) != run_state::incoming || found->number > record.number)
    co_return done{};
  auto marks = marks_of(record.vm);
  marks.voided = std::max(marks.voided, found->number);
  marks.seen = std::max(marks.seen, found->number);
  if (mark(record.vm, marks))
    co_await machine_.kill(record.vm);
  co_return done{};
}

/// S: before the switchover the stream is cancelled and the VM stays; after it, the target is told
/// through the record that this side never moves again.
task<done> agent::orphan_source(handover_record record) {
  const auto t = ticket_issuer::issue(record);
  if (facts_of(t).stream == stream_phase::running)
    co_await machine_.cancel_stream(t.vm(), t.number()); // refused once the vCPUs have stopped
  while (facts_of(t).stream == stream_phase::running && !abandoned())
    co_await changed(t.vm(), event_pause);
  const auto facts = facts_of(t);
  if (facts.machine == run_state::postmigrate && facts.machine_number == t.number()) {
    co_await publish_completed(std::move(record));
    co_return done{};
  }
  // A QEMU that is gone, or that still streams, is left for people to look at.
  if (facts.machine != run_state::running && facts.machine != run_state::paused)
    co_return done{};
  while (facts_of(t).stream != stream_phase::running) {
    const auto settled = co_await settle(t);
    if (settled || settled.error().code == errc::refused || abandoned())
      co_return done{};
    co_await sleep(record_pause);
  }
  co_return done{};
}

task<done> agent::publish_completed(handover_record record) {
  record.outcome = source_outcome::completed;
  for (;;) {
    const auto seen = co_await look_behind_barrier(record.vm);
    // Somebody has ended it meanwhile, or it is published: nothing is left to say.
    if (
      seen && (!seen->record || seen->record->number != record.number ||
               seen->record->state != record_state::moving || *seen->record == record))
      co_return done{};
    if (seen) {
      const auto written = co_await store_.write_record(record);
      if (written)
        co_return done{};
    }
    if (abandoned())
      co_return done{};
    co_await sleep(record_pause);
  }
}

/// T: its QEMU dies with a stream that ends early; one that has loaded everything waits for the
/// source's word in the record, and without it stays paused.
task<done> agent::orphan_target(handover_record record) {
  // Under `check` the source would have moved the config; nobody does that now, so T claims first.
  auto claiming = record;
  if (record.how == policy::check || record.how == policy::nocheck)
    claiming.how = policy::claim;
  const auto t = ticket_issuer::issue(record);
  while (!abandoned()) {
    const auto facts = facts_of(t);
    if (facts.machine == run_state::absent || facts.machine_number != t.number())
      co_return done{};
    if (facts.marks.run == t.number()) {
      co_await bring_config(t, t.source(), t.target(), gone_until_);
      co_return done{};
    }
    const auto seen = co_await look_behind_barrier(t.vm());
    const bool over =
      seen && seen->record &&
      (seen->record->number > t.number() || seen->record->state == record_state::settled ||
       seen->record->outcome == source_outcome::kept);
    if (facts.stream == stream_phase::ended || over) {
      co_await void_epoch(t);
      co_return done{};
    }
    const bool forward = seen && seen->record &&
                         seen->record->outcome == source_outcome::completed &&
                         facts.stream == stream_phase::completed;
    if (forward) {
      const auto alone = ticket_issuer::issue(claiming);
      auto evidence = facts_of(alone);
      const auto gathered = co_await gather_evidence(alone, evidence, gone_until_);
      if (gathered)
        co_await let_run(alone, evidence);
    }
    if (!forward || facts_of(t).marks.run != t.number())
      co_await changed(t.vm(), record_pause);
  }
  co_return done{};
}

} // namespace drover
