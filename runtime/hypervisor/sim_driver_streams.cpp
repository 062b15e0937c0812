// How a stream begins and is called off, and how a QEMU goes on: the checks of the real driver.
#include "runtime/hypervisor/sim_driver.hpp"

namespace drover {

namespace {

/// Proxmox VE's, as in the real driver.
constexpr std::uint32_t downtime_limit_default_ms = 100;
/// A source refuses `cont` until its switchover is over.
constexpr milliseconds continue_delay{10};
constexpr int continue_attempts_most = 100;

} // namespace

const wire::outcome* sim_driver::outcome_of(const machine& m) const {
  const auto found = outcomes_.find(m.qemu->vm);
  return found == outcomes_.end() || found->second.first != m.qemu->number ? nullptr
                                                                           : &found->second.second;
}

std::optional<wire::outcome> sim_driver::stream_outcome(vm_id vm, epoch number) const {
  const auto found = outcomes_.find(vm);
  if (found == outcomes_.end() || found->second.first != number)
    return std::nullopt;
  return found->second.second;
}

sim_driver::progress sim_driver::stream_progress(const machine& m) const {
  if (outcome_of(m) != nullptr)
    return progress::ended;
  if (m.is_connecting)
    return progress::connecting;
  // One whose end is on its way to this driver counts as under way.
  return m.qemu->stream != 0 || m.qemu->last_end ? progress::begun : progress::none;
}

// -- target --------------------------------------------------------------------------------------

std::uint32_t sim_driver::channels_max(vm_id vm) const {
  return known(vm) ? stream_channels_max : 1;
}

void sim_driver::open_door(
  vm_id vm, epoch number, const stream_form& form, callback<listening> answer) {
  const auto refuse = [&](error why) {
    say<listening>(std::move(answer), tl::unexpected(std::move(why)));
  };
  const auto m = known(vm);
  if (!m)
    return refuse(not_here(vm));
  if (!m->is_up)
    return refuse(of_vm(errc::retry, "QEMU is not ready", vm));
  if (m->qemu->role != sim_role::target || m->qemu->number != number)
    return refuse(of_vm(errc::conflict, "no QEMU receives under this epoch here", vm));
  if (m->qemu->was_reached)
    return refuse(of_vm(errc::refused, "its stream has come in already", vm));
  say<listening>(std::move(answer), park_->open_door(m->qemu, form));
}

// -- source --------------------------------------------------------------------------------------

void sim_driver::stream(
  vm_id vm, epoch number, const listening& door, const stream_limits& limits,
  callback<done> answer) {
  const auto refuse = [&](error why) {
    say<done>(std::move(answer), tl::unexpected(std::move(why)));
  };
  const auto m = known(vm);
  if (!m)
    return refuse(not_here(vm));
  auto& qemu = *m->qemu;
  const bool is_again = qemu.role == sim_role::source && qemu.number == number;
  if (is_again && m->has_not_begun) {
    m->has_not_begun = false;
    outcomes_.erase(vm);
  }
  const auto how_far = stream_progress(*m);
  if (is_again && !m->stream_answers.empty())
    return m->stream_answers.push_back(std::move(answer));
  if (is_again && how_far != progress::none)
    return say<done>(std::move(answer), done{});
  if (!m->is_up)
    return refuse(of_vm(errc::retry, "QEMU is not ready", vm));
  if (
    qemu.role == sim_role::source &&
    (how_far == progress::connecting || how_far == progress::begun))
    return refuse(of_vm(errc::conflict, "it streams under another epoch", vm));
  if (qemu.role == sim_role::target && !qemu.is_loaded)
    return refuse(of_vm(errc::refused, "it has not received its own stream yet", vm));
  qemu.role = sim_role::source;
  qemu.number = number;
  qemu.last_end.reset();
  qemu.last_reason.clear();
  qemu.last_figures = {};
  m->stopped.reset();
  m->is_connecting = true;
  m->has_not_begun = false;
  ++m->attempt;
  m->stream_answers.push_back(std::move(answer));
  knock(m, door, limits);
}

void sim_driver::knock(const machine_ptr& m, const listening& door, const stream_limits& limits) {
  command(m, [this, m, attempt = m->attempt, door, limits] {
    if (m->attempt != attempt)
      return;
    const auto vm = m->qemu->vm;
    if (m->qemu->state == sim_state::postmigrate)
      return fail_to_begin(
        m,
        of_vm(errc::refused, "Can't migrate the vm that was paused due to previous migration", vm));
    const auto visit = park_->knock(door, door.token);
    if (visit == sim_park::visit::nobody_opens)
      return fail_to_begin(m, of_vm(errc::retry, "nobody opened the target's door", vm));
    if (visit == sim_park::visit::turned_away)
      return fail_to_begin(m, of_vm(errc::refused, "turned away at the target's door", vm));
    m->qemu->downtime_limit_ms =
      limits.downtime_limit_ms == 0 ? downtime_limit_default_ms : limits.downtime_limit_ms;
    park_->connect(m->qemu, door, limits.bandwidth_bytes_per_s);
    later(park_->setup_time(m->qemu), [this, m, attempt] {
      if (is_here(m) && m->attempt == attempt && m->is_connecting)
        begin_stream(m);
    });
  });
}

void sim_driver::begin_stream(const machine_ptr& m) {
  // Where the other end has gone meanwhile, that news is on its way.
  if (!park_->begin(m->qemu))
    return;
  m->is_connecting = false;
  answer_all<done>(alive_, m->stream_answers, done{});
}

void sim_driver::fail_to_begin(const machine_ptr& m, error why) {
  ++m->attempt;
  m->is_connecting = false;
  m->has_not_begun = true;
  const auto vm = m->qemu->vm;
  const auto number = m->qemu->number;
  const wire::outcome nothing{wire::stream_end::failed, why.what, {}, park_->wall_at(node_), 0};
  outcomes_[vm] = {number, nothing};
  const life alive = alive_;
  if (
    !answer_all<done>(alive, m->stream_answers, tl::unexpected(std::move(why))) ||
    !answer_all<done>(alive, m->cancel_answers, done{}))
    return;
  // Last, so that whoever waits for the stream's end has heard first why it did not begin.
  if (events_ != nullptr)
    events_->on_stream_end(vm, number, nothing.end, nothing.reason, *nothing.ended);
}

void sim_driver::set_downtime_limit(vm_id vm, std::uint32_t limit_ms, callback<done> answer) {
  const auto m = known(vm);
  if (!m)
    return say<done>(std::move(answer), tl::unexpected(not_here(vm)));
  later(park_->command_time(node_), [this, m, limit_ms, answer = std::move(answer)] {
    if (m->qemu->is_gone)
      return answer(tl::unexpected(of_vm(errc::lost, "QEMU is gone", m->qemu->vm)));
    park_->set_downtime_limit(m->qemu, limit_ms);
    answer(done{});
  });
}

void sim_driver::set_bandwidth(vm_id vm, std::uint64_t bytes_per_s, callback<done> answer) {
  const auto m = known(vm);
  if (!m)
    return say<done>(std::move(answer), tl::unexpected(not_here(vm)));
  later(park_->command_time(node_), [this, m, bytes_per_s, answer = std::move(answer)] {
    if (m->qemu->is_gone)
      return answer(tl::unexpected(of_vm(errc::lost, "QEMU is gone", m->qemu->vm)));
    park_->set_bandwidth(m->qemu, bytes_per_s);
    answer(done{});
  });
}

void sim_driver::cancel_stream(vm_id vm, epoch number, callback<done> answer) {
  const auto refuse = [&](error why) {
    say<done>(std::move(answer), tl::unexpected(std::move(why)));
  };
  const auto m = known(vm);
  if (!m)
    return refuse(not_here(vm));
  if (m->qemu->role != sim_role::source || m->qemu->number != number)
    return refuse(of_vm(errc::conflict, "no stream under this epoch leaves here", vm));
  const auto* outcome = outcome_of(*m);
  if (outcome != nullptr && outcome->end == wire::stream_end::completed)
    return refuse(of_vm(errc::refused, "the stream is complete", vm));
  const auto how_far = stream_progress(*m);
  if (how_far == progress::none || how_far == progress::ended)
    return say<done>(std::move(answer), done{});
  if (m->qemu->state == sim_state::finishing || m->stopped)
    return refuse(of_vm(errc::refused, "the switchover has begun", vm));
  m->cancel_answers.push_back(std::move(answer));
  if (how_far == progress::connecting)
    return call_off(m);
  command(m, [this, m] {
    const auto stream = park_->stream_of(m->qemu);
    if (!stream)
      return; // It ended first, and that news answers.
    if (stream->source_stopped)
      return void(answer_all<done>(
        alive_, m->cancel_answers,
        tl::unexpected(of_vm(errc::refused, "the switchover has begun", m->qemu->vm))));
    park_->cancel(m->qemu);
  });
}

void sim_driver::call_off(const machine_ptr& m) {
  ++m->attempt;
  park_->cancel(m->qemu);
  later(nanoseconds{0}, [this, m] {
    if (!is_here(m))
      return;
    m->is_connecting = false;
    const life alive = alive_;
    const std::string reason = "cancelled before it began";
    sim_news news;
    news.what = sim_news::kind::ended;
    news.number = m->qemu->number;
    news.end = wire::stream_end::cancelled;
    news.reason = reason;
    news.at = park_->wall_at(node_);
    const auto vm = m->qemu->vm;
    take_end(m, news);
    if (!alive.expired())
      answer_all<done>(alive, m->stream_answers, tl::unexpected(of_vm(errc::refused, reason, vm)));
  });
}

// -- running -------------------------------------------------------------------------------------

void sim_driver::resume(vm_id vm, callback<wall_time> answer) {
  const auto refuse = [&](error why) {
    say<wall_time>(std::move(answer), tl::unexpected(std::move(why)));
  };
  const auto m = known(vm);
  if (!m)
    return refuse(not_here(vm));
  if (!m->is_up)
    return refuse(of_vm(errc::retry, "QEMU is not ready", vm));
  if (m->qemu->runs())
    return say<wall_time>(std::move(answer), m->qemu->resumed);
  if (m->qemu->role == sim_role::target && !m->qemu->is_loaded)
    return refuse(of_vm(errc::refused, "it has not loaded its stream", vm));
  m->resume_answers.push_back(std::move(answer));
  if (!std::exchange(m->continuing, true))
    send_cont(m, continue_attempts_most);
}

void sim_driver::send_cont(const machine_ptr& m, int attempts_left) {
  command(m, [this, m, attempts_left] {
    if (!m->continuing)
      return; // It runs by itself by now.
    if (m->qemu->state != sim_state::finishing)
      return park_->resume(m->qemu);
    if (attempts_left > 0)
      return later(continue_delay, [this, m, attempts_left] {
        if (is_here(m))
          send_cont(m, attempts_left - 1);
      });
    m->continuing = false;
    answer_all<wall_time>(
      alive_, m->resume_answers,
      tl::unexpected(of_vm(errc::refused, "Migration is not finalized yet", m->qemu->vm)));
  });
}

} // namespace drover
