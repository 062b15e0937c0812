#include "runtime/agent/agent.hpp"

#include <algorithm>
#include <utility>

namespace drover {

using wire::run_state;

guard_facts agent::facts_of(const ticket& t) const {
  guard_facts facts;
  facts.here = settings_.node;
  facts.marks = marks_of(t.vm());
  const auto found = machines_.find(t.vm());
  if (!found)
    return facts;
  facts.machine = state_of(*found);
  facts.machine_number = found->number;
  if (const auto end = machines_.stream_outcome(t.vm(), t.number()))
    facts.stream =
      end->end == wire::stream_end::completed ? stream_phase::completed : stream_phase::ended;
  else if (found->number == t.number() && facts.marks.run < t.number())
    facts.stream = stream_phase::running;
  return facts;
}

guard_facts agent::facts_now(const ticket& t, const vm_view& seen) const {
  auto facts = facts_of(t);
  facts.view = seen;
  return facts;
}

run_marks agent::marks_of(vm_id vm) const {
  const auto found = marks_.find(vm);
  return found == marks_.end() ? run_marks{} : found->second;
}

own_part agent::part_of(vm_id vm) const {
  own_part part;
  part.vm = vm;
  part.here = settings_.node;
  part.marks = marks_of(vm);
  const auto found = machines_.find(vm);
  if (!found)
    return part;
  part.machine = state_of(*found);
  part.number = found->number;
  part.has_loaded = has_loaded(*found);
  return part;
}

result<done> agent::mark(vm_id vm, const run_marks& marks) {
  if (marks_of(vm) == marks)
    return done{};
  auto saved = mark_store_.save(vm, marks);
  if (saved)
    marks_[vm] = marks;
  return saved;
}

result<done> agent::mark_seen(const ticket& t) {
  auto marks = marks_of(t.vm());
  marks.seen = std::max(marks.seen, t.number());
  return mark(t.vm(), marks);
}

/// A VM that was paused before its move is taken over, or kept, without a command to QEMU, so QEMU
/// still waits as it did when everything was loaded; the marks tell the two apart. A higher mark is
/// that of the next move away from here, which has found it paused.
run_state agent::state_of(const machine_status& status) const {
  const auto marks = marks_of(status.vm);
  if (status.number == epoch{} || marks.paused < status.number)
    return status.state;
  const bool taken_over = status.state == run_state::incoming && marks.run == status.number;
  return taken_over || is_kept(status) ? run_state::paused : status.state;
}

bool agent::is_kept(const machine_status& status) const {
  return status.state == run_state::postmigrate && status.number > epoch{} &&
         marks_of(status.vm).kept == status.number;
}

bool agent::has_loaded(const machine_status& status) const {
  const auto end = machines_.stream_outcome(status.vm, status.number);
  return state_of(status) == run_state::incoming && end && end->end == wire::stream_end::completed;
}

/// Between two looks at one clock, the other is read; of a few tries, the one that was disturbed
/// least.
clock_reading agent::read_clocks() const {
  constexpr int tries = 3;
  constexpr nanoseconds good = std::chrono::microseconds{50};
  clock_reading best{};
  auto least = nanoseconds::max();
  for (int i = 0; i < tries && least > good; ++i) {
    const auto before = timers_.now();
    const auto wall = settings_.wall_now();
    const auto took = timers_.now() - before;
    if (took < least) {
      least = took;
      best = {before + took / 2, wall};
    }
  }
  return best;
}

/// A newer epoch was begun where the VM runs.
bool agent::source_runs(const handover_record& record, const ticket& t) {
  return record.number > t.number() ||
         (record.number == t.number() &&
          (record.state == record_state::settled || record.outcome == source_outcome::kept));
}

pending<done> agent::changed(vm_id vm, nanoseconds at_most) {
  pending<done> event;
  waiters_.emplace(vm, event.answer());
  timers_.after(std::max(at_most, nanoseconds{0}), [expired = event.answer()] {
    expired(fail(errc::timeout, "nothing happened in time"));
  });
  return event;
}

pending<done> agent::sleep(nanoseconds delay) {
  pending<done> passed;
  timers_.after(delay, [wake = passed.answer()] { wake(done{}); });
  return passed;
}

void agent::notify(vm_id vm) {
  // Out of the map first: who wakes up may wait again at once.
  std::vector<std::function<void(result<done>)>> woken;
  const auto [begin, end] = waiters_.equal_range(vm);
  for (auto waiter = begin; waiter != end; ++waiter)
    woken.push_back(std::move(waiter->second));
  waiters_.erase(begin, end);
  for (const auto& wake : woken)
    wake(done{});
}

void agent::notify_all() {
  std::set<vm_id> waiting;
  for (const auto& [vm, waiter] : waiters_)
    waiting.insert(vm);
  for (const auto vm : waiting)
    notify(vm);
}

} // namespace drover
