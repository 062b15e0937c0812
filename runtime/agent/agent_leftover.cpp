// Copies that wait, or have never been settled, although their handover is over: a mark that could
// not be written, a view that lagged, an answer that never came. Rule: what a request is at work on
// is its controller's business, and what may be in a pause is left alone, so that no pause holds a
// store operation.
#include "runtime/agent/agent.hpp"

#include <algorithm>

namespace drover {
namespace {

/// Seldom, since nobody waits for it: a leftover costs memory, and later handovers end it too.
/// What only people can end is looked at more and more seldom.
constexpr nanoseconds leftover_pause = std::chrono::seconds{10};
constexpr nanoseconds leftover_pause_max = std::chrono::seconds{160};
/// What waits for less may be in a pause, or its stream may begin while a store that hangs is
/// asked.
constexpr nanoseconds patience = std::chrono::seconds{60};

} // namespace

std::map<vm_id, own_part> agent::waiting_copies() const {
  std::map<vm_id, own_part> found;
  for (const auto& machine : machines_.list())
    if (auto part = part_of(machine.vm); waits(part))
      found.emplace(machine.vm, std::move(part));
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
  auto pause = leftover_pause;
  std::map<vm_id, mono_time> since;
  for (auto before = waiting_copies(); !gone_ && !before.empty();) {
    co_await sleep(pause);
    const auto waiting = waiting_copies();
    pause = waiting == before ? std::min(2 * pause, leftover_pause_max) : leftover_pause;
    for (const auto& [vm, part] : waiting) {
      const auto known = before.find(vm);
      if (known == before.end() || known->second != part)
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
  if (gone_ || !record || is_attended(vm))
    co_return !gone_;
  const auto part = part_of(vm);
  if (auto forgotten = streamed_record(part, *record ? (*record)->number : epoch{}))
    finish(std::move(*forgotten));
  else if (*record && is_left_over(part, **record, controller_))
    finish(**record);
  co_return !gone_;
}

bool agent::is_attended(vm_id vm) const {
  return attended_.contains(vm) || pauses_.contains(vm) || finishing_.contains(vm);
}

} // namespace drover
