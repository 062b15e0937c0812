// What was settled stays settled: a partition that heals can take back what was acknowledged, so
// the runner looks again for a while and, if it has to, settles again.
#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <array>

namespace drover {

using wire::run_state;

namespace {

/// After the last of them (150 s) nothing is looked at any more; a partition heals within seconds.
constexpr std::array<nanoseconds, 5> watch_pauses{
  std::chrono::seconds{5}, std::chrono::seconds{10}, std::chrono::seconds{20},
  std::chrono::seconds{40}, std::chrono::seconds{75}};
constexpr nanoseconds watch_patience = std::chrono::seconds{30};

bool runs(run_state state) { return state == run_state::running || state == run_state::paused; }

} // namespace

/// An agent that starts anew goes on with the looks of the one before: the marks tell what was
/// settled here, whatever the store shows now.
task<done> agent::watch_settled() {
  for (const auto& machine : machines_.list()) {
    const auto marks = marks_of(machine.vm);
    if (!runs(state_of(machine)) || marks.settled == epoch{} || marks.highest() > marks.settled)
      continue;
    const auto seen = co_await look(machine.vm);
    if (!seen || (seen->record && seen->record->number > marks.settled))
      continue;
    auto record = seen->record.value_or(handover_record{});
    if (record.number != marks.settled) {
      // The record of this epoch was taken back. Who runs by it owned the VM as its target, and the
      // place that the config has gone back to was its source.
      const bool came = marks.run == marks.settled;
      if (came && seen->owner && *seen->owner != settings_.node)
        record.source = *seen->owner;
      (came ? record.target : record.source) = settings_.node;
      record.vm = machine.vm;
      record.number = marks.settled;
      record.outcome = source_outcome::unpublished;
    }
    if (
      !record.source.value.empty() && !record.target.value.empty() &&
      record.source != record.target)
      watch(ticket_of(record));
  }
  co_return done{};
}

/// A begin that its agent never answered: its controller does not know of it, and what was on its
/// way to the store may come later than this agent. Asked again, it is answered or takes a higher
/// epoch.
void agent::watch_half_begun() {
  for (const auto& machine : machines_.list()) {
    const auto marks = marks_of(machine.vm);
    const bool half = marks.seen > std::max({marks.begun, marks.settled, marks.run, marks.voided});
    if (half && runs(state_of(machine)))
      tasks_.spawn(end_half_begun(machine.vm, marks.seen));
  }
}

/// Who asks for a begin holds no ticket of an earlier one: where this one is refused, an answer to
/// that one was lost, and nobody goes on with it.
void agent::give_up_unheard(vm_id vm) {
  auto marks = marks_of(vm);
  const bool begun =
    marks.begun == marks.seen && marks.begun > std::max({marks.settled, marks.run, marks.voided});
  if (!begun)
    return;
  marks.settled = marks.undone = marks.begun;
  if (mark(vm, marks))
    tasks_.spawn(watch_settled());
}

task<done> agent::end_half_begun(vm_id vm, epoch number) {
  for (const auto pause : watch_pauses) {
    co_await sleep(pause);
    if (gone_ || marks_of(vm).begun >= number || marks_of(vm).seen > number)
      break;
    const auto record = co_await store_.record(vm);
    if (!record || !*record || (*record)->number != number)
      continue;
    if ((*record)->source == settings_.node && marks_of(vm).begun < number)
      give_up(**record);
    break;
  }
  co_return done{};
}

/// Handovers that the machines here are in and the store does not know any more, since a partition
/// that healed has taken their records back: made again from the marks.
task<std::map<vm_id, handover_record>> agent::forgotten_records(
  std::map<vm_id, handover_record> known) {
  std::map<vm_id, handover_record> forgotten;
  for (const auto& machine : machines_.list()) {
    const auto at = known.find(machine.vm);
    const auto number = at == known.end() ? epoch{} : at->second.number;
    if (auto record = forgotten_by_source(machine, number))
      forgotten.emplace(machine.vm, std::move(*record));
    const auto marks = marks_of(machine.vm);
    if (!runs(state_of(machine)) || marks.highest() <= number)
      continue;
    if (
      at != known.end() && at->second.source == settings_.node &&
      at->second.state == record_state::moving) {
      // A newer epoch was begun here and left nothing in the store; its number ends the older one.
      auto record = at->second;
      record.number = marks.highest();
      record.outcome = source_outcome::unpublished;
      forgotten.emplace(machine.vm, std::move(record));
      continue;
    }
    if (marks.run < marks.highest())
      continue;
    // What runs under a newer epoch than the store knows came from where its config is again.
    const auto owner = co_await store_.owner(machine.vm);
    if (owner && *owner && **owner != settings_.node)
      forgotten.emplace(
        machine.vm, handover_record{
                      machine.vm,
                      marks.run,
                      record_state::moving,
                      **owner,
                      settings_.node,
                      policy::ticket,
                      {}});
  }
  co_return forgotten;
}

std::optional<handover_record> agent::forgotten_by_source(
  const machine_status& machine, epoch known) const {
  const auto marks = marks_of(machine.vm);
  if (
    state_of(machine) != run_state::postmigrate || machine.number <= known ||
    marks.streamed != machine.number || marks.target.value.empty())
    return std::nullopt;
  return handover_record{
    machine.vm, machine.number, record_state::moving, settings_.node, marks.target, marks.how, {}};
}

/// Writes that were acknowledged can be taken back by a partition that heals, so what was settled
/// is looked at again for a while; reads of the own view, unless something is wrong.
void agent::watch(const ticket& t) {
  const auto known = watched_.find(t.vm());
  if (known != watched_.end() && known->second >= t.number())
    return;
  watched_[t.vm()] = t.number();
  tasks_.spawn([](agent& self, ticket of) -> task<done> {
    for (const auto pause : watch_pauses) {
      co_await self.sleep(pause);
      const auto machine = self.machines_.find(of.vm());
      const bool runs = machine && (self.state_of(*machine) == run_state::running ||
                                    self.state_of(*machine) == run_state::paused);
      if (!runs || self.marks_of(of.vm()).highest() > of.number())
        break;
      for (;;) {
        const auto still = co_await self.is_still_settled(of);
        if (still)
          break;
        const auto settled = co_await self.settle(of, self.timers_.now() + watch_patience);
        if (settled || settled.error().code == errc::refused || self.gone_)
          break;
        co_await self.sleep(watch_pauses.front());
      }
    }
    co_return done{};
  }(*this, t));
}

task<bool> agent::is_still_settled(ticket t) {
  // A newer epoch may be in its pause, which holds no store operation.
  if (marks_of(t.vm()).highest() > t.number())
    co_return true;
  const auto seen = co_await look(t.vm());
  if (!seen)
    co_return true; // Nothing can be said or done without the store.
  if (seen->record && seen->record->number > t.number())
    co_return true;
  if (
    seen->owner != settings_.node || !seen->record || seen->record->number != t.number() ||
    seen->record->state != record_state::settled)
    co_return false;
  // A lock beside a settled record is somebody else's, unless it is one that was refused and came
  // later all the same.
  if (marks_of(t.vm()).undone != t.number())
    co_return true;
  const auto text = co_await store_.config(t.vm(), settings_.node);
  if (!text)
    co_return true;
  const auto config = vm_config::parse(*text, to_string(t.vm()) + ".conf");
  co_return !config || config->lock() != "migrate";
}

} // namespace drover
