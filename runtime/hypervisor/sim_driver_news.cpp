// What the driver makes of what its QEMUs tell by themselves. Rule: what the driver knows changes
// first, then everybody who waits is told; each of them may destroy the driver.
#include "runtime/hypervisor/sim_driver.hpp"

namespace drover {

void sim_driver::take(const sim_qemu_ptr& qemu, const sim_news& news) {
  const auto m = known(qemu->vm);
  // What was not found yet is found by `attach`.
  if (!m || m->qemu != qemu)
    return;
  switch (news.what) {
  case sim_news::kind::up:
    return take_up(m);
  case sim_news::kind::stopped:
    return take_stopped(m, news);
  case sim_news::kind::resumed:
    return take_resumed(m, news);
  case sim_news::kind::ended:
    return take_end(m, news);
  case sim_news::kind::gone:
    return take_gone(m, news);
  case sim_news::kind::not_begun:
    // Also of a stream that was found in its beginnings: who began it is gone.
    if (qemu->number == news.number && outcome_of(*m) == nullptr)
      fail_to_begin(m, of_vm(errc::retry, news.reason, qemu->vm));
    return;
  case sim_news::kind::figures:
    if (events_ != nullptr)
      events_->on_progress(qemu->vm, news.number, news.figures);
    return;
  }
}

void sim_driver::take_up(const machine_ptr& m) {
  if (std::exchange(m->is_up, true))
    return;
  answer_all<machine_status>(
    alive_, m->start_answers, machine_status{m->qemu->vm, state_of(*m->qemu), m->qemu->number});
}

void sim_driver::take_stopped(const machine_ptr& m, const sim_news& news) {
  m->stopped = news.at;
  if (events_ != nullptr)
    events_->on_stopped(m->qemu->vm, news.at);
}

void sim_driver::take_resumed(const machine_ptr& m, const sim_news& news) {
  const life alive = alive_;
  m->continuing = false;
  if (answer_all<wall_time>(alive, m->resume_answers, news.at) && events_ != nullptr)
    events_->on_resumed(m->qemu->vm, news.at);
}

void sim_driver::take_end(const machine_ptr& m, const sim_news& news) {
  const auto vm = m->qemu->vm;
  if (m->qemu->number != news.number || outcome_of(*m) != nullptr)
    return;
  const life alive = alive_;
  const bool is_source = m->qemu->role == sim_role::source;
  outcomes_[vm] = {
    news.number,
    {news.end, news.reason, is_source ? m->stopped : std::nullopt, news.at,
     news.figures.transferred_bytes}};
  if (events_ != nullptr)
    events_->on_stream_end(vm, news.number, news.end, news.reason, news.at);
  if (alive.expired())
    return;
  result<done> cancelled = done{};
  if (news.end == wire::stream_end::completed)
    cancelled = tl::unexpected(of_vm(errc::refused, "the stream was complete first", vm));
  answer_all<done>(alive, m->cancel_answers, cancelled);
}

void sim_driver::take_gone(const machine_ptr& m, const sim_news& news) {
  const life alive = alive_;
  const auto vm = m->qemu->vm;
  const auto lost = tl::unexpected(of_vm(errc::lost, news.reason, vm));
  const bool is_untold = m->is_up && m->qemu->role == sim_role::target && outcome_of(*m) == nullptr;
  machines_.erase(vm);
  if (is_untold)
    outcomes_[vm] = {
      news.number, {wire::stream_end::failed, news.reason, std::nullopt, news.at, 0}};
  if (is_untold && events_ != nullptr)
    events_->on_stream_end(vm, news.number, wire::stream_end::failed, news.reason, news.at);
  if (!alive.expired() && m->is_up && events_ != nullptr)
    events_->on_exit(vm, news.reason);
  const auto not_started =
    tl::unexpected(of_vm(errc::refused, "QEMU did not start: " + news.reason, vm));
  // Each of these stops where the driver was destroyed by the one before.
  static_cast<void>(
    answer_all<machine_status>(alive, m->start_answers, not_started) &&
    answer_all<done>(alive, m->stream_answers, lost) &&
    answer_all<done>(alive, m->cancel_answers, lost) &&
    answer_all<wall_time>(alive, m->resume_answers, lost) &&
    answer_all<done>(alive, m->end_answers, done{}));
}

} // namespace drover
