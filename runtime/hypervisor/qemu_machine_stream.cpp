// How a stream begins at the source, is tuned, and called off.
#include "runtime/hypervisor/qemu_machine.hpp"
#include "runtime/hypervisor/stream_key.hpp"

#include <algorithm>
#include <utility>

namespace drover {

using nlohmann::json;

namespace {

/// Short, because QEMU reads its commands byte by byte.
constexpr const char* descriptor_name = "s";
constexpr milliseconds getfd_deadline{5'000};
constexpr milliseconds cancel_deadline{10'000};

/// QEMU has no word for "as fast as it goes": 1 TiB/s is beyond any network, and its own arithmetic
/// (per tenth of a second, as a signed number) stays in range.
constexpr std::uint64_t bandwidth_unlimited = std::uint64_t{1} << 40U;
/// Proxmox VE's; QEMU's own 300 ms would be the pause of every large guest.
constexpr std::uint32_t downtime_limit_default_ms = 100;

/// How long QEMU may take to let go of an earlier stream: it waits for its threads.
constexpr milliseconds earlier_end_look{10};
constexpr int earlier_end_looks_most = 500;

/// What `query-yank` lists: connections that could be broken off.
bool holds_a_stream(const json& instances) {
  return instances.is_array() && std::any_of(instances.begin(), instances.end(), [](const auto& i) {
           return i.is_object() && i.value("type", std::string{}) == "migration";
         });
}

error of_vm(errc code, std::string what, vm_id vm) {
  return {code, std::move(what), "VM " + to_string(vm)};
}

} // namespace

// -- source: the knock ---------------------------------------------------------------------------

void qemu_machine::stream(
  epoch number, const listening& door, const stream_limits& limits, callback<done> answer) {
  const auto refuse = [&](errc code, const char* what) {
    host_->answer_later<done>(std::move(answer), tl::unexpected(of_vm(code, what, vm_)));
  };
  const bool is_again = mark_ == stream_mark{number, stream_role::source};
  if (is_again && !stream_answers_.empty())
    return stream_answers_.push_back(std::move(answer));
  if (is_again && stream_phase_ != stream_phase::none)
    return host_->answer_later<done>(std::move(answer), done{});
  if (phase_ != phase::up || !client_ || !client_->is_ready())
    return refuse(errc::retry, "QEMU is not ready");
  if (
    mark_.role == stream_role::source && stream_phase_ != stream_phase::none &&
    stream_phase_ != stream_phase::ended)
    return refuse(errc::conflict, "it streams under another epoch");
  if (
    mark_.role == stream_role::target &&
    !(outcome_ && outcome_->end == wire::stream_end::completed))
    return refuse(errc::refused, "it has not received its own stream yet");
  if (door.channels > channels_max())
    return refuse(errc::invalid, "its QEMU does not know so many channels");
  if (auto usable = door.key.empty() ? result<void>{} : check_key(door.key); !usable)
    return host_->answer_later<done>(std::move(answer), tl::unexpected(usable.error()));
  const stream_mark mark{number, stream_role::source};
  if (auto written = files_.write_stream(mark); !written)
    return host_->answer_later<done>(std::move(answer), tl::unexpected(written.error()));
  mark_ = mark;
  outcome_.reset();
  if (const auto last = host_->outcomes.find(vm_);
      last != host_->outcomes.end() && last->second.first == number)
    host_->outcomes.erase(last);
  stopped_at_.reset();
  stopped_ = false;
  figures_ = {};
  stream_phase_ = stream_phase::connecting;
  stream_answers_.push_back(std::move(answer));
  const auto attempt = ++attempt_;
  channels_ = door.channels;
  set_up_stream(limits, door.key, attempt);
  if (channels_ > 1)
    return connect_channels(door, attempt);
  knock_ = stream_knock::knock(
    host_->loop, door.host, door.port, door.token,
    [weak = weak_from_this(), attempt](result<unique_fd> connection) {
      if (const auto self = weak.lock())
        self->connected(attempt, std::move(connection));
    });
}

void qemu_machine::set_up_stream(
  const stream_limits& limits, const std::string& key, std::uint64_t attempt) {
  parameters_set_ = false;
  auto switches = switches_of_any();
  add_channels(switches);
  const auto failed = [weak = weak_from_this(), attempt](const error& why) {
    if (const auto self = weak.lock())
      self->stream_failed_to_begin(attempt, why);
  };
  give_key(mark_.number, key, [failed](const result<done>& given) {
    if (!given)
      failed(given.error());
  });
  switch_migration(switches, command_deadline, [failed](const result<done>& set) {
    if (!set)
      failed(set.error());
  });
  const auto bandwidth = limits.bandwidth_bytes_per_s;
  const auto downtime = limits.downtime_limit_ms;
  json parameters = stream_parameters(key);
  parameters["max-bandwidth"] = bandwidth == 0 ? bandwidth_unlimited : bandwidth;
  parameters["downtime-limit"] = downtime == 0 ? downtime_limit_default_ms : downtime;
  call(
    "migrate-set-parameters", parameters,
    [failed, attempt, weak = weak_from_this()](const result<json>& set) {
      if (!set)
        return failed(set.error());
      const auto self = weak.lock();
      if (!self || self->attempt_ != attempt)
        return;
      self->parameters_set_ = true;
      self->begin_if_ready();
    });
}

void qemu_machine::connected(std::uint64_t attempt, result<unique_fd> connection) {
  if (!connection)
    return stream_failed_to_begin(attempt, connection.error());
  knock_.reset();
  connection_ = std::move(*connection);
  begin_if_ready();
}

void qemu_machine::begin_if_ready() {
  const bool stands = connection_ || channels_stand_;
  if (stream_phase_ != stream_phase::connecting || !parameters_set_ || !stands)
    return;
  if (may_have_streamed_)
    return await_earlier_end(attempt_, earlier_end_looks_most);
  begin_stream(attempt_);
}

/// QEMU tells the end of a stream some moments before it has let go of it (it still waits for the
/// channels' threads), and refuses `migrate` until then.
void qemu_machine::await_earlier_end(std::uint64_t attempt, int looks_left) {
  call(
    "query-yank", nullptr,
    [weak = weak_from_this(), attempt, looks_left](const result<json>& instances) {
      const auto self = weak.lock();
      if (!self || self->attempt_ != attempt)
        return;
      if (!instances || !holds_a_stream(*instances))
        return self->begin_stream(attempt);
      if (looks_left == 0)
        return self->stream_failed_to_begin(
          attempt, of_vm(errc::retry, "its earlier stream has not ended yet", self->vm_));
      self->progress_timer_.expires_after(earlier_end_look);
      self->progress_timer_.async_wait(
        [weak, attempt, looks_left](const asio::error_code& failure) {
          if (const auto again = weak.lock(); again && !failure)
            again->await_earlier_end(attempt, looks_left - 1);
        });
    });
}

void qemu_machine::begin_stream(std::uint64_t attempt) {
  if (attempt != attempt_ || stream_phase_ != stream_phase::connecting)
    return;
  if (!client_)
    return stream_failed_to_begin(attempt_, of_vm(errc::retry, "QEMU does not answer", vm_));
  may_have_streamed_ = true;
  // From here on the stream may run, whatever the answer: its end is told by an event.
  stream_phase_ = stream_phase::begun;
  if (connection_)
    client_->call_with_fd(
      "getfd", {{"fdname", descriptor_name}}, std::move(connection_), getfd_deadline,
      [](const result<json>&) {});
  const json uri{
    {"uri",
     channels_ > 1 ? "unix:" + files_.multifd().native() : std::string("fd:") + descriptor_name}};
  call("migrate", uri, [weak = weak_from_this(), attempt](const result<json>& accepted) {
    const auto self = weak.lock();
    if (!self || self->attempt_ != attempt)
      return;
    if (!accepted && !is_unknown(accepted.error().code))
      return self->stream_failed_to_begin(attempt, accepted.error());
    self->arm_progress();
    if (accepted)
      self->answer_stream(done{});
    else
      self->answer_stream(tl::unexpected(accepted.error()));
  });
}

void qemu_machine::stream_failed_to_begin(std::uint64_t attempt, const error& why) {
  if (attempt != attempt_ || stream_phase_ == stream_phase::ended)
    return;
  const auto keep = shared_from_this();
  close_stream();
  stream_phase_ = stream_phase::none;
  const wire::outcome nothing{wire::stream_end::failed, why.what, {}, wall_now(), 0};
  host_->outcomes[vm_] = {mark_.number, nothing};
  answer_stream(tl::unexpected(why));
  answer_all<done>(cancel_answers_, done{});
  // Last, so that whoever waits for the stream's end has heard first why it did not begin.
  if (host_->is_open && host_->events != nullptr)
    host_->events->on_stream_end(vm_, mark_.number, nothing.end, nothing.reason, *nothing.ended);
}

void qemu_machine::answer_stream(const result<done>& value) {
  answer_all<done>(stream_answers_, value);
}

void qemu_machine::set_downtime_limit(std::uint32_t limit_ms, callback<done> answer) {
  call(
    "migrate-set-parameters", {{"downtime-limit", limit_ms}},
    [answer = std::move(answer)](const result<json>& set) {
      answer(set ? result<done>(done{}) : tl::unexpected(set.error()));
    });
}

void qemu_machine::set_bandwidth(std::uint64_t bytes_per_s, callback<done> answer) {
  call(
    "migrate-set-parameters",
    {{"max-bandwidth", bytes_per_s == 0 ? bandwidth_unlimited : bytes_per_s}},
    [answer = std::move(answer)](const result<json>& set) {
      answer(set ? result<done>(done{}) : tl::unexpected(set.error()));
    });
}

void qemu_machine::cancel_stream(epoch number, callback<done> answer) {
  const auto say = [&](result<done> value) {
    host_->answer_later<done>(std::move(answer), std::move(value));
  };
  if (mark_ != stream_mark{number, stream_role::source})
    return say(
      tl::unexpected(of_vm(errc::conflict, "no stream under this epoch leaves here", vm_)));
  if (outcome_ && outcome_->end == wire::stream_end::completed)
    return say(tl::unexpected(of_vm(errc::refused, "the stream is complete", vm_)));
  if (stream_phase_ == stream_phase::none || stream_phase_ == stream_phase::ended)
    return say(done{});
  if (stopped_)
    return say(tl::unexpected(of_vm(errc::refused, "the switchover has begun", vm_)));
  if (stream_phase_ == stream_phase::connecting) {
    ++attempt_;
    close_stream();
    cancel_answers_.push_back(std::move(answer));
    return asio::post(host_->loop, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || !self->host_->is_open)
        return;
      const std::string reason = "cancelled before it began";
      self->end_stream(wire::stream_end::cancelled, reason, wall_now());
      self->answer_stream(tl::unexpected(of_vm(errc::refused, reason, self->vm_)));
    });
  }
  cancel_answers_.push_back(std::move(answer));
  cancel_timer_.expires_after(cancel_deadline);
  cancel_timer_.async_wait([weak = weak_from_this()](const asio::error_code& failure) {
    if (const auto self = weak.lock(); self && !failure)
      self->answer_all<done>(
        self->cancel_answers_,
        tl::unexpected(of_vm(errc::timeout, "QEMU does not end the stream", self->vm_)));
  });
  client_->call(
    "migrate_cancel", nullptr, cancel_deadline,
    [weak = weak_from_this()](const result<json>& taken) {
      if (const auto self = weak.lock(); self && !taken)
        self->answer_all<done>(self->cancel_answers_, tl::unexpected(taken.error()));
    });
}

} // namespace drover
