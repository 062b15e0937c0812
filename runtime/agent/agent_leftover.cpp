// Copies that wait although their handover is over: a mark that could not be written, a view that
// lagged, an answer that never came. Rule: what a request is at work on is its controller's
// business, so that nothing is read from the store while a pause may be under way.
#include "runtime/agent/agent.hpp"

#include <algorithm>

namespace drover {
namespace {

using wire::run_state;

/// Seldom, since nobody waits for it: a leftover costs memory, and later handovers end it too.
/// What only people can end is looked at more and more seldom.
constexpr nanoseconds leftover_pause = std::chrono::seconds{10};
constexpr nanoseconds leftover_pause_max = std::chrono::seconds{160};

} // namespace

std::set<vm_id> agent::leftovers() const {
  std::set<vm_id> found;
  for (const auto& machine : machines_.list()) {
    const auto state = state_of(machine);
    if (state == run_state::incoming || state == run_state::postmigrate)
      found.insert(machine.vm);
  }
  return found;
}

void agent::look_for_leftovers() {
  if (looking_ || gone_ || broken_ || settings_.access == agent_access::observe)
    return;
  looking_ = !leftovers().empty();
  if (looking_)
    tasks_.spawn(end_leftovers());
}

task<done> agent::end_leftovers() {
  auto pause = leftover_pause;
  for (std::set<vm_id> before;;) {
    const auto waiting = leftovers();
    if (gone_ || waiting.empty())
      break;
    pause = waiting == before ? std::min(2 * pause, leftover_pause_max) : leftover_pause;
    before = waiting;
    co_await sleep(pause);
    for (const auto vm : waiting) {
      if (gone_ || is_attended(vm))
        continue;
      const auto record = co_await store_.record(vm);
      if (!gone_ && record && *record && is_left_over(**record))
        finish(**record);
    }
  }
  looking_ = false;
  co_return done{};
}

bool agent::is_attended(vm_id vm) const {
  return attended_.contains(vm) || pauses_.contains(vm) || finishing_.contains(vm);
}

/// True where its controller has ended it, or is not the one that is here.
bool agent::is_left_over(const handover_record& record) const {
  const auto found = machines_.find(record.vm);
  if (!found || is_attended(record.vm) || record.number < found->number)
    return false;
  const auto state = state_of(*found);
  if (state != run_state::incoming && state != run_state::postmigrate)
    return false;
  return record.controller != controller_ || record.state == record_state::settled ||
         record.number > found->number;
}

} // namespace drover
