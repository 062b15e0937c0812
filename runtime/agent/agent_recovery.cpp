// What a recovery asks a node for: to tell its part in every handover, and the few things that no
// handover in progress needs. Rule: what is ended or closed here was decided by who has heard both
// nodes; the guard still refuses what this node alone knows to be wrong.
#include "runtime/agent/agent.hpp"
#include "runtime/agent/busy_vm.hpp"

#include <algorithm>
#include <utility>

namespace drover {

using wire::run_state;

/// An observing agent writes nothing, not even a barrier: its view may lag.
task<agent::answered> agent::handle(wire::inspect_handovers, mono_time until) {
  co_await survey_ended(until);
  if (settings_.access == agent_access::control) {
    const auto passed = co_await store_.barrier();
    if (!passed)
      co_return tl::unexpected{passed.error()};
  }
  auto parts = co_await list_parts();
  if (!parts)
    co_return tl::unexpected{parts.error()};
  wire::handover_parts answer;
  answer.litter = machines_.litter();
  if (!answer.litter.empty() && settings_.access == agent_access::control)
    machines_.sweep();
  for (auto& [vm, part] : *parts) {
    if (part.owner == settings_.node)
      co_await describe_config(part);
    answer.parts.push_back(std::move(part));
  }
  co_return answer;
}

task<result<std::map<vm_id, wire::handover_part>>> agent::list_parts() {
  auto places_asked = store_.places();
  auto records_asked = store_.records();
  const auto places = co_await places_asked;
  const auto records = co_await records_asked;
  if (!places)
    co_return tl::unexpected{places.error()};
  if (!records)
    co_return tl::unexpected{records.error()};
  std::map<vm_id, wire::handover_part> parts;
  for (const auto& [vm, owner] : *places)
    if (owner == settings_.node)
      parts.try_emplace(vm);
  for (const auto& machine : machines_.list())
    parts.try_emplace(machine.vm);
  for (const auto& [vm, marks] : marks_)
    parts.try_emplace(vm);
  for (const auto& [vm, record] : *records)
    if (
      record.state == record_state::moving &&
      (record.source == settings_.node || record.target == settings_.node))
      parts.try_emplace(vm);
  for (auto& [vm, part] : parts) {
    part.vm = vm;
    if (const auto place = places->find(vm); place != places->end())
      part.owner = place->second;
    const auto marks = marks_of(vm);
    part.run = marks.run;
    part.voided = marks.voided;
    part.seen = marks.seen;
    part.barrier = marks.barrier;
    if (const auto found = machines_.find(vm)) {
      part.state = state_of(*found);
      part.number = found->number;
      part.loaded = has_loaded(*found);
    }
    if (const auto found = finishing_.find(vm); found != finishing_.end())
      part.finishing = found->second;
    if (const auto record = records->find(vm); record != records->end())
      describe_record(part, record->second);
  }
  co_return parts;
}

/// Whatever the policy but `ticket`: nobody moves the config now, so a take-over claims it first.
void agent::describe_record(wire::handover_part& part, handover_record record) const {
  part.record =
    wire::record_view{record.number, record.state,      record.source,  record.target,
                      record.how,    record.controller, record.outcome, record.target_boot_id};
  if (record.source != settings_.node && record.target != settings_.node)
    return;
  if (record.how != policy::ticket)
    record.how = policy::claim;
  const auto t = ticket_of(std::move(record));
  part.streams = facts_of(t).stream == stream_phase::running;
  part.evidence = t;
}

task<done> agent::describe_config(wire::handover_part& part) {
  const auto text = co_await store_.config(part.vm, settings_.node);
  if (!text)
    co_return done{}; // It has moved away since the places were read.
  const auto config = vm_config::parse(*text, to_string(part.vm) + ".conf");
  if (config) {
    part.name = config->name();
    part.lock = config->lock();
    part.onboot = config->onboot();
  }
  co_return done{};
}

task<agent::answered> agent::handle(wire::discard_copy asked, mono_time) {
  const auto discarded = co_await discard(asked.evidence);
  co_return accepted_if(discarded);
}

/// T: the mark first, so that a late command finds nothing that it may let run.
task<result<done>> agent::discard(ticket t) {
  const auto seen = co_await store_.view_behind_barrier(t.vm());
  if (!seen)
    co_return tl::unexpected{seen.error()};
  if (const auto verdict = judge(operation::discard, t, facts_now(t, *seen)); !verdict)
    co_return verdict;
  auto marks = marks_of(t.vm());
  marks.seen = std::max(marks.seen, t.number());
  if (t.target() == settings_.node)
    marks.voided = std::max(marks.voided, t.number());
  if (const auto saved = mark(t.vm(), marks); !saved)
    co_return saved;
  pauses_.erase(t.vm());
  if (!machines_.find(t.vm()))
    co_return done{};
  auto gone = co_await machine_.kill(t.vm());
  co_return gone;
}

task<agent::answered> agent::handle(wire::close_handover asked, mono_time) {
  const auto closed = co_await close(asked.evidence);
  co_return accepted_if(closed);
}

/// As `settle` does: first the lock, then the record.
task<result<done>> agent::close(ticket t) {
  const auto seen = co_await store_.view_behind_barrier(t.vm());
  if (!seen)
    co_return tl::unexpected{seen.error()};
  if (const auto verdict = judge(operation::close, t, facts_now(t, *seen)); !verdict)
    co_return verdict;
  if (const auto saved = mark_seen(t); !saved)
    co_return saved;
  const auto unlocked = co_await unlock(t.vm());
  if (!unlocked)
    co_return unlocked;
  auto record = seen->record.value_or(handover_record{});
  record.vm = t.vm();
  record.number = t.number();
  record.state = record_state::settled;
  record.source = t.source();
  record.target = t.target();
  record.how = t.how();
  record.outcome = t.source() == settings_.node ? source_outcome::kept : source_outcome::completed;
  if (const auto verdict = judge(operation::close, t, facts_now(t, *seen)); !verdict)
    co_return verdict;
  auto written = co_await store_.write_record(record);
  co_return written;
}

task<agent::answered> agent::handle(wire::forget_vm asked, mono_time until) {
  const auto free = co_await not_being_finished(asked.vm, until);
  if (!free)
    co_return tl::unexpected{free.error()};
  const busy_vm busy{busy_, asked.vm};
  if (!busy.taken())
    co_return busy.refusal();
  const auto forgotten = co_await forget(asked.vm);
  co_return accepted_if(forgotten);
}

task<result<done>> agent::forget(vm_id vm) {
  const auto seen = co_await store_.view_behind_barrier(vm);
  if (!seen)
    co_return tl::unexpected{seen.error()};
  if (seen->owner)
    co_return fail(errc::refused, "VM " + to_string(vm) + " is on " + seen->owner->value);
  if (seen->record && seen->record->state == record_state::moving)
    co_return fail(errc::refused, "a handover of VM " + to_string(vm) + " is not settled");
  if (machines_.find(vm))
    co_return fail(
      errc::refused, "a QEMU of VM " + to_string(vm) + " is on " + settings_.node.value);
  auto gone = mark_store_.forget(vm);
  if (gone)
    marks_.erase(vm);
  co_return gone;
}

} // namespace drover
