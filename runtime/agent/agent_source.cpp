#include "runtime/agent/agent.hpp"
#include "runtime/agent/busy_vm.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

using wire::run_state;

constexpr std::string_view migrate_lock = "migrate";

error locked(vm_id vm, const std::string& lock, const std::optional<handover_record>& record) {
  error e{errc::refused, "VM " + to_string(vm) + " is locked (" + lock + ")", {}};
  if (record && record->state == record_state::moving)
    e.context = "epoch " + to_string(record->number) + " to " + record->target.value + " by " +
                record->controller;
  return e;
}

/// The very same handover, asked for again: after a lost answer or an agent's restart.
bool is_repeated(
  const std::optional<handover_record>& record, const wire::begin_handover& asked,
  const node_id& here) {
  return record && record->state == record_state::moving && record->source == here &&
         record->target == asked.target && record->controller == asked.controller &&
         record->how == asked.how;
}

/// What Proxmox's own tools have changed since the look is not overwritten: the next try reads it.
result<done> again_where_changed(vm_id vm, const result<done>& written) {
  if (!written && written.error().code == errc::conflict)
    return fail(errc::retry, "its config has just been changed", to_string(vm));
  return written;
}

std::string sentences(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& one : all)
    text += (text.empty() ? "" : "; ") + one;
  return text;
}

} // namespace

task<agent::answered> agent::handle(wire::begin_handover asked, mono_time until) {
  const auto vm = asked.vm;
  auto answer = co_await begin(std::move(asked), until);
  if (!answer)
    give_up_unheard(vm);
  co_return answer;
}

task<agent::answered> agent::begin(wire::begin_handover asked, mono_time until) {
  const auto free = co_await not_being_finished(asked.vm, until);
  if (!free)
    co_return tl::unexpected{free.error()};
  const busy_vm busy{busy_, asked.vm};
  if (!busy.taken())
    co_return busy.refusal();
  if (asked.target == settings_.node)
    co_return fail(errc::invalid, "source and target are the same node", asked.target.value);
  const auto record = co_await open_handover(asked);
  if (!record)
    co_return tl::unexpected{record.error()};
  auto answer = co_await describe_begun(*record);
  if (!answer)
    co_return answer;
  auto marks = marks_of(asked.vm);
  marks.begun = std::max(marks.begun, record->number);
  if (const auto saved = mark(asked.vm, marks); !saved) {
    co_await undo_begin(*record);
    co_return tl::unexpected{saved.error()};
  }
  co_return answer;
}

/// Decides the epoch and writes record and lock; answers with the record that is in the store.
task<result<handover_record>> agent::open_handover(wire::begin_handover asked) {
  const auto own = co_await own_config(operation::begin, asked.vm);
  if (!own)
    co_return tl::unexpected{own.error()};
  const auto& before = own->record;
  const auto lock = own->config.lock();
  const auto undone = marks_of(asked.vm).undone;
  const bool is_undone = undone > epoch{} && (!before || before->number <= undone);
  if (is_undone && lock == migrate_lock)
    co_return fail(errc::retry, "an earlier begin is being undone", to_string(asked.vm));
  const bool repeated = !is_undone && is_repeated(before, asked, settings_.node);
  if (repeated && lock == migrate_lock)
    co_return *before;
  if (!lock.empty())
    co_return tl::unexpected{locked(asked.vm, lock, before)};

  const auto found = machines_.find(asked.vm);
  const auto state = found ? state_of(*found) : run_state::absent;
  if (state != run_state::running && state != run_state::paused)
    co_return fail(
      errc::refused, "VM " + to_string(asked.vm) + " does not run on " + settings_.node.value,
      std::string{wire::to_string(state)});
  const auto text = machines_.started_config(asked.vm);
  if (!text)
    co_return tl::unexpected{text.error()};
  if (const auto blockers = blockers_of(*found, *text); !blockers.empty())
    co_return fail(
      errc::refused, "VM " + to_string(asked.vm) + " cannot move", sentences(blockers));

  auto marks = marks_of(asked.vm);
  handover_record record;
  record.vm = asked.vm;
  const auto known = std::max({before ? before->number : epoch{}, marks.highest(), found->number});
  record.number = epoch{known.value + 1};
  record.state = record_state::moving;
  record.source = settings_.node;
  record.target = asked.target;
  record.how = asked.how;
  record.controller = asked.controller;
  marks.seen = record.number;
  if (state == run_state::paused)
    marks.paused = record.number;
  if (const auto saved = mark(asked.vm, marks); !saved)
    co_return tl::unexpected{saved.error()};
  const auto written = co_await write_begin(record, own->config);
  if (!written) {
    give_up(record);
    co_return tl::unexpected{written.error()};
  }
  co_return record;
}

/// Record first, lock second: a record without a lock is overtaken by the next epoch, a lock
/// without a record would need somebody to take it away.
task<result<done>> agent::write_begin(handover_record record, vm_config config) {
  auto written = co_await store_.write_record(record);
  if (!written) {
    // The write may have been applied although it was answered with an error.
    const auto seen = co_await store_.view_behind_barrier(record.vm);
    if (!seen || seen->record != record)
      co_return written;
  }
  config_edit edit{config.text(), {}};
  config.set("lock", migrate_lock);
  edit.after = config.text();
  const auto locked_now = co_await store_.write_config(record.vm, settings_.node, std::move(edit));
  if (!locked_now)
    co_await undo_begin(record);
  co_return again_where_changed(record.vm, locked_now);
}

/// Nothing has moved yet, so each step is tried once: what could not be written, or is applied
/// later than it was refused, is looked after until a newer epoch begins.
task<done> agent::undo_begin(handover_record record) {
  give_up(record);
  co_await unlock(record.vm);
  record.state = record_state::settled;
  record.outcome = source_outcome::kept;
  co_await store_.write_record(record);
  co_return done{};
}

void agent::give_up(const handover_record& record) {
  auto marks = marks_of(record.vm);
  marks.settled = std::max(marks.settled, record.number);
  marks.undone = marks.settled;
  (void)mark(record.vm, marks); // Only the next agent would miss it.
  watch(ticket_of(record));
}

/// Takes `lock: migrate` out of the own config; any other lock is somebody else's and stays.
task<result<done>> agent::unlock(vm_id vm) {
  const auto text = co_await store_.config(vm, settings_.node);
  if (!text)
    co_return tl::unexpected{text.error()};
  auto config = vm_config::parse(*text, to_string(vm) + ".conf");
  if (!config)
    co_return tl::unexpected{config.error()};
  if (config->lock() != migrate_lock)
    co_return done{};
  config_edit edit{*text, {}};
  config->remove("lock");
  edit.after = config->text();
  const auto written = co_await store_.write_config(vm, settings_.node, std::move(edit));
  co_return again_where_changed(vm, written);
}

task<agent::answered> agent::describe_begun(handover_record record) {
  const auto facts = co_await machine_.facts(record.vm);
  const auto text = machines_.started_config(record.vm);
  const auto found = machines_.find(record.vm);
  error why;
  if (!facts)
    why = facts.error();
  else if (!text)
    why = text.error();
  else if (!found)
    why = error{errc::lost, "its QEMU is gone", to_string(record.vm)};
  if (!why.what.empty()) {
    co_await undo_begin(record);
    co_return tl::unexpected{why};
  }
  const auto config = vm_config::parse(*text, to_string(record.vm) + ".conf");
  wire::begun answer{ticket_issuer::issue(record),          *text, *facts,
                     state_of(*found) == run_state::paused, 0,     0};
  if (config) {
    answer.downtime_limit_ms = config->migrate_downtime_ms();
    answer.bandwidth_bytes_per_s = config->migrate_speed_bytes_per_s();
  }
  if (const auto channels = machines_.channels_max(record.vm); channels > 1)
    answer.channels_max = channels;
  co_return answer;
}

task<agent::answered> agent::handle(wire::stream asked, mono_time) {
  const auto seen = co_await store_.view(asked.evidence.vm());
  if (!seen)
    co_return tl::unexpected{seen.error()};
  auto facts = facts_of(asked.evidence);
  facts.view = *seen;
  if (const auto verdict = judge(operation::stream, asked.evidence, facts); !verdict)
    co_return tl::unexpected{verdict.error()};
  auto marks = marks_of(asked.evidence.vm());
  marks.seen = std::max(marks.seen, asked.evidence.number());
  if (marks.streamed != asked.evidence.number()) {
    marks.streamed = asked.evidence.number();
    marks.target = asked.evidence.target();
    marks.target_boot_id = asked.target_boot_id;
    marks.how = asked.evidence.how();
  }
  if (const auto saved = mark(asked.evidence.vm(), marks); !saved)
    co_return tl::unexpected{saved.error()};
  if (facts.stream == stream_phase::none)
    stopped_.erase(asked.evidence.vm());
  const listening door{
    asked.host, asked.port, asked.token, asked.key.value_or(""), asked.channels.value_or(1)};
  const bool is_new = facts.stream != stream_phase::running;
  const auto share =
    is_new ? admit_stream(asked.evidence.vm(), asked.bandwidth_bytes_per_s) : std::uint64_t{0};
  const stream_limits limits{share, asked.downtime_limit_ms};
  const auto begun =
    co_await machine_.stream(asked.evidence.vm(), asked.evidence.number(), door, limits);
  if (!begun) {
    share_bandwidth_anew();
    co_return tl::unexpected{begun.error()};
  }
  need_quorum();
  co_return wire::accepted{};
}

task<agent::answered> agent::handle(wire::set_downtime_limit asked, mono_time) {
  const auto verdict = judge(operation::tune, asked.evidence, facts_of(asked.evidence));
  if (!verdict)
    co_return tl::unexpected{verdict.error()};
  const auto set =
    co_await machine_.set_downtime_limit(asked.evidence.vm(), asked.downtime_limit_ms);
  co_return accepted_if(set);
}

task<agent::answered> agent::handle(wire::cancel_stream asked, mono_time) {
  const auto& t = asked.evidence;
  const auto verdict = judge(operation::cancel, t, facts_of(t));
  if (!verdict)
    co_return tl::unexpected{verdict.error()};
  const auto cancelled = co_await machine_.cancel_stream(t.vm(), t.number());
  co_return accepted_if(cancelled);
}

/// At S and at T: each answers for its own QEMU.
task<agent::answered> agent::handle(wire::await_outcome asked, mono_time until) {
  const auto t = asked.evidence;
  const bool target = t.target() == settings_.node;
  if (!target && t.source() != settings_.node)
    co_return fail(
      errc::invalid, "the ticket " + to_string(t) + " is for other nodes", settings_.node.value);
  for (;;) {
    if (auto ended = machines_.stream_outcome(t.vm(), t.number())) {
      if (!target && !ended->stopped && stopped_.contains(t.vm()))
        ended->stopped = stopped_.at(t.vm()).at;
      // A moment that an earlier agent has heard of has no shift that this one could tell.
      explain_cancel(t, *ended);
      const auto& heard = target ? loaded_ : stopped_;
      const auto moment = target ? ended->ended : ended->stopped;
      if (const auto found = heard.find(t.vm()); found != heard.end() && found->second.at == moment)
        ended->clock_shift = found->second.clock_shift;
      if (ended->end == wire::stream_end::completed && marks_of(t.vm()).run < t.number())
        pauses_[t.vm()] = timers_.now() + std::chrono::seconds{1};
      co_return *ended;
    }
    if (!machines_.find(t.vm())) {
      if (!target)
        co_return fail(errc::refused, "the QEMU of VM " + to_string(t.vm()) + " has ended");
      co_return wire::outcome{wire::stream_end::failed, "the receiving QEMU is gone", {}, {}, 0};
    }
    if (gone_)
      co_return fail(errc::retry, "the agent is ending", settings_.node.value);
    if (timers_.now() >= until)
      co_return fail(errc::timeout, "the stream of " + to_string(t) + " has not ended yet");
    co_await changed(t.vm(), until - timers_.now());
  }
}

} // namespace drover
