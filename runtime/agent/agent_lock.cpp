#include "runtime/agent/agent.hpp"
#include "runtime/agent/busy_vm.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

/// One lock for the whole cluster: what it orders is the move and the look of every handover.
constexpr const char* handover_lock = "drover-handover";
/// After this the handover is given up, on either side; the VM is paused all the while.
constexpr nanoseconds lock_patience = std::chrono::seconds{90};
/// How often a lock that somebody else holds is asked for.
constexpr nanoseconds lock_pause_min = std::chrono::milliseconds{10};
constexpr nanoseconds lock_pause_max = std::chrono::milliseconds{200};
/// How often a lock that could not be given back is tried again, and until when: then it expires.
constexpr nanoseconds drop_pause = std::chrono::milliseconds{200};
constexpr nanoseconds lock_expiry = std::chrono::seconds{120};

} // namespace

/// Node and ticket, so that the same step asked again renews its own lock.
std::string agent::lock_holder(const ticket& t) const {
  return settings_.node.value + " " + to_string(t);
}

/// S, inside the pause: three writes, take, move, drop.
task<result<done>> agent::move_under_lock(ticket t, mono_time until) {
  const busy_vm busy{locking_, t.vm()};
  if (!busy.taken())
    co_return busy.refusal();
  auto taken = co_await take_handover_lock(t, until);
  if (!taken)
    co_return taken;
  // The wait may have been long: the epoch may be over.
  auto moved = judge(operation::move, t, facts_of(t));
  if (moved)
    moved = co_await move_away(t);
  co_await drop_handover_lock(t);
  co_return moved;
}

/// T, inside the pause: two writes and a look between them. Taking the lock is an own write, so the
/// view behind it shows the source's move.
task<result<vm_view>> agent::look_under_lock(ticket t, mono_time until) {
  const busy_vm busy{locking_, t.vm()};
  if (!busy.taken())
    co_return busy.refusal();
  const auto taken = co_await take_handover_lock(t, until);
  if (!taken)
    co_return tl::unexpected{taken.error()};
  const auto owner = co_await store_.owner(t.vm());
  co_await drop_handover_lock(t);
  if (!owner)
    co_return tl::unexpected{owner.error()};
  co_return vm_view{*owner, std::nullopt};
}

task<result<done>> agent::take_handover_lock(ticket t, mono_time until) {
  const auto end = std::min(until, timers_.now() + lock_patience);
  for (auto pause = lock_pause_min;; pause = std::min(2 * pause, lock_pause_max)) {
    const auto taken = co_await store_.take_lock(handover_lock, lock_holder(t));
    if (taken)
      co_return done{};
    result<done> verdict = still_open(t);
    if (verdict && gone_)
      verdict = fail(errc::retry, "the agent is ending", settings_.node.value);
    if (verdict && timers_.now() + pause >= end)
      verdict =
        fail(errc::refused, "the lock of all handovers could not be had", to_string(taken.error()));
    if (!verdict) {
      // An error does not say that it was not taken.
      co_await drop_handover_lock(t);
      co_return verdict;
    }
    co_await sleep(pause);
  }
}

/// The handover goes on however this ends: a lock that stays is one that expires.
task<done> agent::drop_handover_lock(ticket t) {
  const auto dropped = co_await store_.drop_lock(handover_lock, lock_holder(t));
  if (!dropped && dropped.error().code != errc::conflict)
    tasks_.spawn(drop_handover_lock_later(t));
  co_return done{};
}

/// Of a step that an earlier agent of this node was cut short in. Without this the lock would hold
/// up everybody until it expires.
task<done> agent::drop_stale_lock() {
  const auto locks = co_await store_.locks(handover_lock);
  if (!locks || !locking_.empty())
    co_return done{};
  for (const auto& lock : *locks)
    if (lock.name == handover_lock && lock.holder.starts_with(settings_.node.value + " "))
      co_await store_.drop_lock(handover_lock, lock.holder);
  co_return done{};
}

task<done> agent::drop_handover_lock_later(ticket t) {
  const auto end = timers_.now() + lock_expiry;
  while (timers_.now() < end && !abandoned()) {
    co_await sleep(drop_pause);
    if (locking_.contains(t.vm()))
      co_return done{}; // It is wanted again.
    const auto dropped = co_await store_.drop_lock(handover_lock, lock_holder(t));
    if (dropped || dropped.error().code == errc::conflict)
      break;
  }
  co_return done{};
}

} // namespace drover
