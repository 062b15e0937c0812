// What was settled stays settled: a partition that heals can take back what was acknowledged, so
// the runner looks again for a while and, if it has to, settles again.
#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace drover {

namespace {

/// Most partitions heal within seconds. One that lasts takes back what was written in it whenever
/// it heals, so the last pause is repeated as long as this agent is there.
constexpr std::array<nanoseconds, 5> watch_pauses{
  std::chrono::seconds{5}, std::chrono::seconds{10}, std::chrono::seconds{20},
  std::chrono::seconds{40}, std::chrono::seconds{75}};
constexpr nanoseconds watch_patience = std::chrono::seconds{30};
constexpr nanoseconds membership_pause = std::chrono::seconds{5};

} // namespace

/// An agent that starts anew goes on with the looks of the one before: the marks tell what was
/// settled here, whatever the store shows now.
void agent::watch_settled() {
  for (const auto& machine : machines_.list())
    if (stands_settled(part_of(machine.vm)))
      tasks_.spawn(watch_settled_of(machine.vm));
}

/// A store that cannot be read is asked again, and so is one that does not show the record of a
/// begin that failed: it may still come.
task<done> agent::watch_settled_of(vm_id vm) {
  for (const auto pause : watch_pauses) {
    const auto seen = co_await store_.view(vm);
    const auto part = part_of(vm);
    if (gone_ || !stands_settled(part))
      break;
    if (seen)
      if (auto record = settled_record(part, *seen)) {
        watch(ticket_of(std::move(*record)));
        break;
      }
    if (seen && !may_still_come(part.marks))
      break;
    co_await sleep(pause);
  }
  co_return done{};
}

/// Asked again, what is half begun is answered or takes a higher epoch.
void agent::watch_half_begun() {
  for (const auto& machine : machines_.list()) {
    const auto part = part_of(machine.vm);
    if (is_half_begun(part.marks) && runs(part.machine))
      tasks_.spawn(end_half_begun(machine.vm, part.marks.seen));
  }
}

/// Who asks for a begin holds no ticket of an earlier one: where this one is refused, an answer to
/// that one was lost, and nobody goes on with it.
void agent::give_up_unheard(vm_id vm) {
  auto marks = marks_of(vm);
  if (!is_unheard(marks))
    return;
  marks.settled = marks.undone = marks.begun;
  if (mark(vm, marks))
    tasks_.spawn(watch_settled_of(vm));
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
  std::map<vm_id, handover_record> all) {
  std::map<vm_id, handover_record> forgotten;
  for (const auto& machine : machines_.list()) {
    const auto vm = machine.vm;
    const auto at = all.find(vm);
    const auto known = at == all.end() ? std::nullopt : std::optional{at->second};
    auto record = streamed_record(part_of(vm), known ? known->number : epoch{});
    if (!record)
      record = begun_record(part_of(vm), known);
    if (!record && may_have_come(part_of(vm), known)) {
      const auto owner = co_await store_.owner(vm);
      if (owner && *owner)
        record = come_record(part_of(vm), known, **owner);
    }
    if (record)
      forgotten.emplace(vm, std::move(*record));
  }
  co_return forgotten;
}

/// Writes that were acknowledged can be taken back by a partition that heals, so what was settled
/// is looked at again; reads of the own view, unless something is wrong.
void agent::watch(const ticket& t) {
  const auto known = watched_.find(t.vm());
  if (known != watched_.end() && known->second.number() >= t.number())
    return;
  watched_.insert_or_assign(t.vm(), t);
  tasks_.spawn(look_again(t, watch_round_));
  if (!std::exchange(watching_membership_, true))
    tasks_.spawn(watch_membership());
}

task<done> agent::look_again(ticket t, std::uint64_t round) {
  for (std::size_t i = 0;; i = std::min(i + 1, watch_pauses.size() - 1)) {
    co_await sleep(watch_pauses.at(i));
    const auto part = part_of(t.vm());
    if (round != watch_round_ || !runs(part.machine) || part.marks.highest() > t.number())
      break;
    co_await settle_again(t);
  }
  co_return done{};
}

task<done> agent::settle_again(ticket t) {
  for (;;) {
    const auto still = co_await is_still_settled(t);
    if (still)
      break;
    const auto settled = co_await settle(t, timers_.now() + watch_patience);
    if (settled || settled.error().code == errc::refused || gone_)
      break;
    co_await sleep(watch_pauses.front());
  }
  co_return done{};
}

/// A partition heals with a change of the membership, so the looks are close together again after
/// each. Nobody is told of one: a pmxcfs makes its file anew each second, and no event reaches
/// another process.
task<done> agent::watch_membership() {
  std::optional<std::string> known;
  while (!gone_) {
    const auto now = co_await store_.membership();
    if (now && known && *now != *known) {
      ++watch_round_;
      for (const auto& [vm, t] : watched_)
        tasks_.spawn(look_again(t, watch_round_));
    }
    if (now && now->empty())
      break;
    if (now)
      known = *now;
    co_await sleep(membership_pause);
  }
  co_return done{};
}

task<bool> agent::is_still_settled(ticket t) {
  // A newer epoch may be in its pause, which holds no store operation.
  if (marks_of(t.vm()).highest() > t.number())
    co_return true;
  const auto seen = co_await store_.view(t.vm());
  if (!seen)
    co_return true; // Nothing can be said or done without the store.
  if (is_taken_back(t, settings_.node, *seen))
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
