// How a machine ends, lets go, goes on, and what it is asked.
#include "runtime/hypervisor/qemu_machine.hpp"
#include "runtime/hypervisor/refused_cont.hpp"

#include <utility>

namespace drover {

using nlohmann::json;

namespace {

constexpr milliseconds quit_deadline{10'000};
constexpr milliseconds kill_deadline{10'000};
constexpr milliseconds continue_delay{10};
constexpr int continue_attempts_most = 100;

error of_vm(errc code, std::string what, vm_id vm) {
  return {code, std::move(what), "VM " + to_string(vm)};
}

wire::run_state run_state_of(const std::string& word) {
  if (word == "running")
    return wire::run_state::running;
  if (word == "paused" || word == "prelaunch")
    return wire::run_state::paused;
  if (word == "inmigrate")
    return wire::run_state::incoming;
  if (word == "postmigrate")
    return wire::run_state::postmigrate;
  return wire::run_state::other;
}

} // namespace

// -- the end -------------------------------------------------------------------------------------

void qemu_machine::detach() {
  phase_ = phase::gone;
  close_stream();
  if (process_)
    process_->forget();
  for (auto* client : {&client_, &rescue_})
    if (*client)
      (*client)->close();
  for (auto* timer :
       {&patience_timer_, &reconnect_timer_, &end_timer_, &progress_timer_, &cancel_timer_,
        &continue_timer_})
    timer->cancel();
}

std::string qemu_machine::reason_of(const std::string& how) const {
  const auto log = files_.log_tail();
  return "QEMU " + how + (log.empty() ? "" : ": " + log);
}

void qemu_machine::gone(const std::string& how) {
  const auto keep = shared_from_this();
  // What it said last is still in the socket, such as how its stream ended.
  if (client_)
    client_->drain();
  const bool was_starting = phase_ == phase::starting && known_ == nullptr;
  const bool was_up = phase_ == phase::up;
  const auto reason = reason_of(how);
  phase_ = phase::gone;
  if (host_->settings.access == hypervisor_access::control)
    files_.remove_all(end_was_asked_ ? run_files::log_file::remove : run_files::log_file::keep);
  close_stream();
  for (auto* client : {&client_, &rescue_})
    if (*client)
      (*client)->close();
  host_->remove(vm_);
  if (was_starting) {
    answer_all<machine_status>(
      start_answers_, fail(errc::refused, "QEMU did not start: " + reason, "VM " + to_string(vm_)));
  } else if (was_up) {
    if (mark_.role == stream_role::target && !outcome_)
      end_stream(wire::stream_end::failed, reason, wall_now());
    if (host_->is_open && host_->events != nullptr)
      host_->events->on_exit(vm_, reason);
  }
  become_known();
  answer_gone(reason);
}

void qemu_machine::answer_gone(const std::string& reason) {
  end_timer_.cancel();
  const auto lost = fail(errc::lost, reason, "VM " + to_string(vm_));
  answer_all<done>(stream_answers_, lost);
  answer_all<done>(cancel_answers_, lost);
  answer_all<wall_time>(resume_answers_, lost);
  answer_all<done>(end_answers_, done{});
}

void qemu_machine::quit(callback<done> answer) {
  end_answers_.push_back(std::move(answer));
  // One that is being started is ended when it comes.
  if (std::exchange(end_was_asked_, true) || !process_)
    return end_before_its_turn();
  process_->raise();
  if (client_ && client_->is_ready())
    call("quit", nullptr, [](const result<json>&) {});
  else
    process_->terminate();
  end_timer_.expires_after(quit_deadline);
  end_timer_.async_wait([weak = weak_from_this()](const asio::error_code& failure) {
    const auto self = weak.lock();
    if (!self || failure)
      return;
    self->process_->kill();
    self->watch_end();
  });
}

void qemu_machine::kill(callback<done> answer) {
  end_answers_.push_back(std::move(answer));
  end_was_asked_ = true;
  if (process_)
    process_->kill();
  end_before_its_turn();
  watch_end();
}

void qemu_machine::end_before_its_turn() {
  if (waits_for_turn_)
    asio::post(host_->loop, [weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && self->waits_for_turn_)
        self->fail_start({errc::refused, "it was ended before its turn", {}});
    });
}

void qemu_machine::watch_end() {
  // Only a process that hangs in the kernel, on a dead disk say, is still there then.
  end_timer_.expires_after(kill_deadline);
  end_timer_.async_wait([weak = weak_from_this()](const asio::error_code& failure) {
    if (const auto self = weak.lock(); self && !failure)
      self->answer_all<done>(
        self->end_answers_, fail(errc::timeout, "QEMU does not die", "VM " + to_string(self->vm_)));
  });
}

// -- questions -----------------------------------------------------------------------------------

machine_status qemu_machine::status() const {
  auto state = run_state_of(run_state_);
  if (mark_.role == stream_role::target && !has_run_ && run_state_ != "running")
    state = wire::run_state::incoming;
  return {vm_, state, mark_.number};
}

result<std::string> qemu_machine::config() const {
  if (!config_.empty())
    return config_;
  return files_.read_started();
}

void qemu_machine::call(std::string_view command, const json& arguments, callback<json> answer) {
  if (client_)
    return client_->call(command, arguments, command_deadline, std::move(answer));
  host_->answer_later<json>(std::move(answer), fail(errc::retry, "there is no connection to QEMU"));
}

void qemu_machine::ask_status() {
  call("query-status", nullptr, [weak = weak_from_this()](const result<json>& status) {
    if (const auto self = weak.lock(); self && status && status->is_object())
      self->run_state_ = status->value("status", std::string{});
  });
}

// -- running -------------------------------------------------------------------------------------

void qemu_machine::resume(callback<wall_time> answer) {
  const auto say = [&](result<wall_time> value) {
    host_->answer_later<wall_time>(std::move(answer), std::move(value));
  };
  if (phase_ != phase::up)
    return say(tl::unexpected(of_vm(errc::retry, "QEMU is not ready", vm_)));
  if (run_state_ == "running")
    return say(resumed_.value_or(wall_now()));
  // QEMU takes `cont` while it still receives, and then runs as soon as it can: nobody could hold
  // it back any more when the source decides otherwise.
  if (
    mark_.role == stream_role::target &&
    !(outcome_ && outcome_->end == wire::stream_end::completed))
    return say(tl::unexpected(of_vm(errc::refused, "it has not loaded its stream", vm_)));
  resume_answers_.push_back(std::move(answer));
  if (std::exchange(continuing_, true))
    return;
  send_cont(continue_attempts_most);
}

void qemu_machine::send_cont(int attempts_left) {
  call("cont", nullptr, [weak = weak_from_this(), attempts_left](const result<json>& taken) {
    const auto self = weak.lock();
    if (!self)
      return;
    if (!taken && taken.error().code == errc::refused && attempts_left > 0)
      return self->retry_cont(taken.error(), attempts_left);
    self->continuing_ = false;
    if (!taken)
      return self->answer_all<wall_time>(self->resume_answers_, tl::unexpected(taken.error()));
    // RESUME comes before the answer; without it the guest does not run, whatever was answered.
    if (!self->resume_answers_.empty())
      self->ask_status();
    self->answer_all<wall_time>(
      self->resume_answers_,
      tl::unexpected(of_vm(errc::refused, "QEMU took `cont` and did not run", self->vm_)));
  });
}

void qemu_machine::retry_cont(const error& refused, int attempts_left) {
  call(
    "query-status", nullptr,
    [weak = weak_from_this(), refused, attempts_left](const result<json>& status) {
      const auto self = weak.lock();
      if (!self)
        return;
      const auto verdict = judge_refused_cont(
        status && status->is_object() ? status->value("status", "") : std::string{});
      if (verdict == refused_cont::final) {
        self->continuing_ = false;
        return self->answer_all<wall_time>(self->resume_answers_, tl::unexpected(refused));
      }
      if (verdict == refused_cont::ask_once_more)
        return self->send_cont(0);
      self->continue_timer_.expires_after(continue_delay);
      self->continue_timer_.async_wait([weak, attempts_left](const asio::error_code& failure) {
        if (const auto again = weak.lock(); again && !failure)
          again->send_cont(attempts_left - 1);
      });
    });
}

} // namespace drover
