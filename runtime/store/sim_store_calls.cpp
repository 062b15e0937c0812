#include "runtime/store/sim_store_calls.hpp"

#include <algorithm>
#include <utility>

namespace drover {

void sim_store_calls::listen() {
  listener_ = ++core_->listeners;
  core_->when_hanging.emplace(listener_, [weak = weak_from_this()] {
    if (const auto self = weak.lock())
      self->hanging();
  });
}

void sim_store_calls::close() {
  is_closed_ = true;
  core_->when_hanging.erase(listener_);
  const auto waiting = std::exchange(waiting_, {});
  for (const auto& call : waiting)
    call->forget();
  for (const auto& call : running_)
    call->forget();
}

void sim_store_calls::add(std::shared_ptr<sim_call> call) {
  if (core_->hangs_until() > queue().now())
    watch(call, core_->hangs_until());
  waiting_.push_back(std::move(call));
  start();
}

void sim_store_calls::start() {
  while (!waiting_.empty() && running_.size() < core_->settings().calls_at_once) {
    auto call = std::move(waiting_.front());
    waiting_.pop_front();
    if (call->answered)
      continue;
    if (queue().now() >= call->asked() + core_->settings().call_deadline) {
      // From a task of its own: this may be inside a call of the caller's.
      queue().after({}, [self = shared_from_this(), call] { self->time_out(call); });
      continue;
    }
    call->begun = queue().now();
    call->rest = call->draw(*core_, node_);
    running_.push_back(call);
    arm(call);
  }
}

/// `rest` is what is left of its time when nothing hangs any more.
void sim_store_calls::arm(const std::shared_ptr<sim_call>& call) {
  call->due = std::max(queue().now(), core_->hangs_until()) + call->rest;
  watch(call, call->due);
  queue().after(
    call->due - queue().now(), [self = shared_from_this(), call] { self->finish(call); });
}

void sim_store_calls::finish(const std::shared_ptr<sim_call>& call) {
  if (core_->hangs_until() > queue().now()) {
    // It was under way when all began to hang, and goes on where it stood.
    call->rest = std::min(call->rest, call->due - core_->hangs_since());
    arm(call);
    return;
  }
  if (waits_for_others(call))
    return;
  running_.erase(std::find(running_.begin(), running_.end(), call));
  call->make(*core_, node_);
  start();
  answer(call);
}

/// A write returns when the local replica has applied it, and with it all that was ordered before:
/// who lags pays for it here.
bool sim_store_calls::waits_for_others(const std::shared_ptr<sim_call>& call) {
  if (!call->is_write() || std::exchange(call->caught_up, true) || !core_->has_quorum(node_))
    return false;
  const auto seen = core_->backlog_seen(node_);
  if (seen <= queue().now())
    return false;
  call->rest = seen - queue().now();
  arm(call);
  return true;
}

void sim_store_calls::answer(const std::shared_ptr<sim_call>& call) {
  if (call->answered || is_closed_)
    return;
  call->answered = true;
  if (observe_)
    observe_(
      {node_.id, call->operation(), call->vm(), call->asked_wall(), queue().wall_now(),
       call->was_good()});
  if (!is_closed_)
    call->hand_over();
}

void sim_store_calls::time_out(const std::shared_ptr<sim_call>& call) {
  if (call->answered)
    return;
  call->fail_with(
    {errc::timeout, std::string(call->operation()) + ": the store hangs", node_.id.value});
  answer(call);
}

/// Times the call out when it cannot be answered before `earliest`; most never need that.
void sim_store_calls::watch(const std::shared_ptr<sim_call>& call, mono_time earliest) {
  const auto deadline = call->asked() + core_->settings().call_deadline;
  if (call->watched || call->answered || earliest <= deadline)
    return;
  call->watched = true;
  queue().after(
    deadline - queue().now(), [self = shared_from_this(), call] { self->time_out(call); });
}

void sim_store_calls::hanging() {
  for (const auto& call : running_)
    watch(call, core_->hangs_until());
  for (const auto& call : waiting_)
    watch(call, core_->hangs_until());
}

} // namespace drover
