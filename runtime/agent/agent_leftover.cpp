// Copies that wait, or have never been settled, although their handover is over: a mark that could
// not be written, a view that lagged, an answer that never came. Rule: what a request is at work on
// is its controller's business, and what may be in a pause is left alone, so that no pause holds a
// store operation.
#include "runtime/agent/agent.hpp"

#include <algorithm>

namespace drover {
namespace {

using wire::run_state;

/// Seldom, since nobody waits for it: a leftover costs memory, and later handovers end it too.
/// What only people can end is looked at more and more seldom.
constexpr nanoseconds look_pause = std::chrono::seconds{10};
constexpr nanoseconds look_pause_max = std::chrono::seconds{160};
/// What waits for less may be in a pause, or its stream may begin while a store that hangs is
/// asked.
constexpr nanoseconds patience = std::chrono::seconds{60};

} // namespace

std::optional<agent::waiting_copy> agent::how_it_waits(const machine_status& machine) const {
  const auto state = state_of(machine);
  const auto marks = marks_of(machine.vm);
  const bool runs = state == run_state::running || state == run_state::paused;
  const bool unsettled = runs && machine.number > epoch{} && marks.run == machine.number &&
                         marks.settled < machine.number;
  if (state == run_state::postmigrate || has_loaded(machine) || unsettled)
    return waiting_copy::in_a_handover;
  if (state == run_state::incoming)
    return waiting_copy::for_its_stream;
  return std::nullopt;
}

std::map<vm_id, agent::waiting_copy> agent::waiting_copies() const {
  std::map<vm_id, waiting_copy> found;
  for (const auto& machine : machines_.list())
    if (const auto how = how_it_waits(machine))
      found.emplace(machine.vm, *how);
  return found;
}

void agent::look_for_leftovers() {
  if (looking_ || gone_ || broken_ || settings_.access == agent_access::observe)
    return;
  looking_ = !waiting_copies().empty();
  if (looking_)
    tasks_.spawn(end_leftovers());
}

task<done> agent::end_leftovers() {
  auto pause = look_pause;
  std::map<vm_id, mono_time> since;
  for (auto before = waiting_copies(); !gone_ && !before.empty();) {
    co_await sleep(pause);
    const auto waiting = waiting_copies();
    pause = waiting == before ? std::min(2 * pause, look_pause_max) : look_pause;
    for (const auto& [vm, how] : waiting) {
      const auto known = before.find(vm);
      if (known == before.end() || known->second != how)
        since[vm] = timers_.now();
      const auto waits = timers_.now() - since.try_emplace(vm, timers_.now()).first->second;
      if (waits < patience)
        continue;
      const auto looked = co_await end_leftover(vm);
      if (!looked)
        break;
    }
    before = waiting;
  }
  looking_ = false;
  co_return done{};
}

task<bool> agent::end_leftover(vm_id vm) {
  if (is_attended(vm))
    co_return !gone_;
  const auto record = co_await store_.record(vm);
  const auto found = machines_.find(vm);
  if (gone_ || !record || !found || is_attended(vm))
    co_return !gone_;
  const auto known = *record ? (*record)->number : epoch{};
  if (auto forgotten = forgotten_by_source(*found, known))
    finish(std::move(*forgotten));
  else if (*record && is_left_over(**record))
    finish(**record);
  co_return !gone_;
}

bool agent::is_attended(vm_id vm) const {
  return attended_.contains(vm) || pauses_.contains(vm) || finishing_.contains(vm);
}

/// True where its controller has ended it, or is not the one that is here.
bool agent::is_left_over(const handover_record& record) const {
  const auto found = machines_.find(record.vm);
  if (!found || !how_it_waits(*found) || record.number < found->number)
    return false;
  return record.controller != controller_ || record.state == record_state::settled ||
         record.number > found->number;
}

} // namespace drover
