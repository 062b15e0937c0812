// How a stream goes on and ends, and what a new agent makes of it.
#include "runtime/hypervisor/adopted_stream.hpp"
#include "runtime/hypervisor/qemu_machine.hpp"

#include <utility>

namespace drover {

using nlohmann::json;

namespace {

constexpr milliseconds progress_period{500};

error of_vm(errc code, std::string what, vm_id vm) {
  return {code, std::move(what), "VM " + to_string(vm)};
}

std::uint64_t number(const json& object, const char* pointer) {
  const json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_unsigned()
           ? object.at(path).get<std::uint64_t>()
           : 0;
}

} // namespace

// -- the end -------------------------------------------------------------------------------------

void qemu_machine::end_failed(wall_time at) {
  call("query-migrate", nullptr, [weak = weak_from_this(), at](const result<json>& migration) {
    const auto self = weak.lock();
    if (!self || !self->host_->is_open)
      return;
    std::string reason;
    if (migration && migration->is_object()) {
      reason = migration->value("error-desc", std::string{});
      self->take_figures(*migration);
    }
    self->end_stream(
      wire::stream_end::failed, reason.empty() ? "QEMU's stream broke; it gave no reason" : reason,
      at);
  });
}

void qemu_machine::end_stream(
  wire::stream_end end, const std::string& reason, std::optional<wall_time> at) {
  if (stream_phase_ == stream_phase::ended)
    return;
  const auto keep = shared_from_this();
  stream_phase_ = stream_phase::ended;
  progress_timer_.cancel();
  cancel_timer_.cancel();
  close_channels();
  const bool is_source = mark_.role == stream_role::source;
  outcome_ = wire::outcome{
    end, reason, is_source ? stopped_at_ : std::nullopt, at, figures_.transferred_bytes};
  host_->outcomes[vm_] = {mark_.number, *outcome_};
  if (host_->is_open && host_->events != nullptr)
    host_->events->on_stream_end(vm_, mark_.number, end, reason, at.value_or(wall_now()));
  answer_all<done>(
    cancel_answers_,
    end == wire::stream_end::completed
      ? result<done>(tl::unexpected(of_vm(errc::refused, "the stream was complete first", vm_)))
      : result<done>(done{}));
  if (end == wire::stream_end::completed)
    files_.remove_key();
  else if (phase_ == phase::up)
    forget_key();
  // The final figures, after everybody who waits in the pause was told.
  if (is_source && end == wire::stream_end::completed && phase_ == phase::up)
    ask_figures();
}

void qemu_machine::close_stream() {
  progress_timer_.cancel();
  connection_.reset();
  close_channels();
  if (const auto knock = std::exchange(knock_, nullptr))
    knock->close();
  if (const auto door = std::exchange(door_, nullptr))
    door->close();
}

// -- figures -------------------------------------------------------------------------------------

void qemu_machine::ask_figures() {
  call(
    "query-migrate", nullptr,
    [weak = weak_from_this(), number = mark_.number](const result<json>& migration) {
      const auto self = weak.lock();
      if (self && migration && self->host_->is_open && self->mark_.number == number)
        self->take_figures(*migration);
    });
}

void qemu_machine::take_figures(const json& migration) {
  if (!migration.contains("ram"))
    return;
  figures_.transferred_bytes = number(migration, "/ram/transferred");
  figures_.remaining_bytes = number(migration, "/ram/remaining");
  figures_.total_bytes = number(migration, "/ram/total");
  figures_.passes = static_cast<std::uint32_t>(number(migration, "/ram/dirty-sync-count"));
  figures_.expected_downtime_ms =
    static_cast<std::uint32_t>(number(migration, "/expected-downtime"));
  if (outcome_) {
    outcome_->transferred_bytes = figures_.transferred_bytes;
    host_->outcomes[vm_] = {mark_.number, *outcome_};
  }
  if (host_->events != nullptr)
    host_->events->on_progress(vm_, mark_.number, figures_);
}

void qemu_machine::arm_progress() {
  if (stream_phase_ != stream_phase::begun)
    return;
  progress_timer_.expires_after(progress_period);
  progress_timer_.async_wait([weak = weak_from_this()](const asio::error_code& failure) {
    const auto self = weak.lock();
    if (!self || failure || self->stream_phase_ != stream_phase::begun)
      return;
    if (!self->stopped_)
      self->ask_figures();
    self->arm_progress();
  });
}

// -- after a restart of the agent ----------------------------------------------------------------

void qemu_machine::learn_stream(const json& migration) {
  if (mark_.role == stream_role::none || stream_phase_ == stream_phase::ended)
    return;
  const auto told = [&](const char* key) {
    return migration.is_object() ? migration.value(key, std::string{}) : std::string{};
  };
  const auto learned = [this](wire::stream_end end, const std::string& reason) {
    stream_phase_ = stream_phase::ended;
    outcome_ = wire::outcome{end, reason, stopped_at_, std::nullopt, figures_.transferred_bytes};
    host_->outcomes[vm_] = {mark_.number, *outcome_};
    // One that runs was told to: nobody waits for the end of its stream any more.
    outcome_untold_ = mark_.role == stream_role::source || run_state_ != "running";
  };
  if (migration.is_object())
    take_figures(migration);
  // In `setup` the target's QEMU may read its key any moment; it tells when it has.
  if (mark_.role == stream_role::source || told("status") != "setup")
    files_.remove_key();
  switch (judge_adopted(mark_.role, run_state_, told("status"))) {
  case adopted_stream::none:
    stream_phase_ = stream_phase::none;
    return;
  case adopted_stream::completed:
    if (mark_.role == stream_role::source)
      run_state_ = "postmigrate";
    return learned(wire::stream_end::completed, {});
  case adopted_stream::cancelled:
    return learned(wire::stream_end::cancelled, "the stream was cancelled");
  case adopted_stream::failed: {
    const auto reason = told("error-desc");
    return learned(
      wire::stream_end::failed,
      reason.empty() ? "the stream had not begun when the agent went away" : reason);
  }
  case adopted_stream::under_way:
  case adopted_stream::switching_over:
    stream_phase_ = stream_phase::begun;
    stopped_ = run_state_ == "finish-migrate";
    if (mark_.role == stream_role::source)
      arm_progress();
  }
}

void qemu_machine::report_missed() {
  if (!outcome_ || !std::exchange(outcome_untold_, false) || host_->events == nullptr)
    return;
  host_->events->on_stream_end(
    vm_, mark_.number, outcome_->end, outcome_->reason, outcome_->ended.value_or(wall_now()));
}

} // namespace drover
