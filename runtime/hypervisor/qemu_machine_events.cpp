// What QEMU tells by itself.
#include "runtime/hypervisor/qemu_machine.hpp"

#include <algorithm>

namespace drover {

using nlohmann::json;

namespace {

/// The first pass begins with the stream and has nothing to tell yet.
constexpr int first_telling_pass = 2;

} // namespace

void qemu_machine::take_event(const qmp_event& event) {
  if (!host_->is_open || phase_ == phase::gone)
    return;
  changed_meanwhile_ = changed_meanwhile_ || event.name == "MIGRATION" || event.name == "STOP" ||
                       event.name == "RESUME";
  if (event.name == "MIGRATION" && event.data.is_object())
    return take_migration(event.data.value("status", std::string{}), event.at);
  if (event.name == "STOP")
    return take_stop(event.at);
  if (event.name == "RESUME")
    return take_resume(event.at);
  if (event.name == "MIGRATION_PASS" && event.data.is_object()) {
    const auto pass = event.data.value("pass", 0);
    figures_.passes = static_cast<std::uint32_t>(std::max(pass, 0));
    // Nothing is asked in the pause: it would have to be answered in the pause.
    if (pass >= first_telling_pass && !stopped_)
      ask_figures();
  }
}

void qemu_machine::take_stop(wall_time at) {
  resumed_.reset();
  if (mark_.role == stream_role::source && stream_phase_ == stream_phase::begun) {
    run_state_ = "finish-migrate";
    stopped_ = true;
    stopped_at_ = at;
    if (host_->events != nullptr)
      host_->events->on_stopped(vm_, at);
    return;
  }
  // Paused by hand, or by an error: QEMU knows which.
  run_state_ = "paused";
  ask_status();
}

void qemu_machine::take_resume(wall_time at) {
  run_state_ = "running";
  resumed_ = at;
  has_run_ = true;
  answer_all<wall_time>(resume_answers_, at);
  if (host_->is_open && host_->events != nullptr)
    host_->events->on_resumed(vm_, at);
  // Not in the pause, which is over now.
  if (stream_phase_ == stream_phase::ended)
    forget_key();
}

void qemu_machine::take_migration(const std::string& status, wall_time at) {
  const bool is_mine = mark_.role == stream_role::source ? stream_phase_ == stream_phase::begun
                                                         : mark_.role == stream_role::target &&
                                                             stream_phase_ != stream_phase::ended;
  if (!is_mine)
    return;
  // Any other word is one of a stream under way; later versions have more of them.
  if (status == "completed") {
    run_state_ = mark_.role == stream_role::source ? "postmigrate" : "paused";
    end_stream(wire::stream_end::completed, {}, at);
  } else if (status == "failed") {
    end_failed(at);
  } else if (status == "cancelled") {
    end_stream(wire::stream_end::cancelled, "the stream was cancelled", at);
  } else if (status == "active" && mark_.role == stream_role::target) {
    files_.remove_key();
  } else if (status == "device") {
    stopped_ = true;
  }
}

} // namespace drover
