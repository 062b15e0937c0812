// How a stream begins: the door on the target, the knock on the source; and how it is called off.
#include "runtime/hypervisor/qemu_machine.hpp"
#include "runtime/hypervisor/stream_key.hpp"

#include <fcntl.h>
#include <utility>

namespace drover {

using nlohmann::json;

namespace {

constexpr const char* descriptor_name = "stream";
constexpr milliseconds getfd_deadline{5'000};
constexpr milliseconds cancel_deadline{10'000};

/// QEMU has no word for "as fast as it goes": 1 TiB/s is beyond any network, and its own arithmetic
/// (per tenth of a second, as a signed number) stays in range.
constexpr std::uint64_t bandwidth_unlimited = std::uint64_t{1} << 40U;
/// Proxmox VE's; QEMU's own 300 ms would be the pause of every large guest.
constexpr std::uint32_t downtime_limit_default_ms = 100;

error of_vm(errc code, std::string what, vm_id vm) {
  return {code, std::move(what), "VM " + to_string(vm)};
}

} // namespace

// -- target: the door ----------------------------------------------------------------------------

void qemu_machine::open_door(epoch number, stream_kind kind, callback<listening> answer) {
  const auto refuse = [&](errc code, const char* what) {
    host_->answer_later<listening>(std::move(answer), tl::unexpected(of_vm(code, what, vm_)));
  };
  if (phase_ != phase::up)
    return refuse(errc::retry, "QEMU is not ready");
  if (mark_.role != stream_role::target || mark_.number != number)
    return refuse(errc::conflict, "no QEMU receives under this epoch here");
  if (stream_phase_ != stream_phase::none)
    return refuse(errc::refused, "its stream has come in already");
  if (door_)
    door_->close();
  listening here{
    host_->settings.migration_address, 0, make_secret(),
    kind == stream_kind::tls ? make_secret() : std::string{}};
  auto door = stream_door::open(
    host_->loop, here.host, here.token, [weak = weak_from_this()](result<unique_fd> connection) {
      if (const auto self = weak.lock())
        self->admitted(std::move(connection));
    });
  if (!door)
    return host_->answer_later<listening>(std::move(answer), tl::unexpected(door.error()));
  door_ = std::move(*door);
  here.port = door_->port();
  give_key(
    number, here.key,
    [weak = weak_from_this(), mine = door_, here, answer](const result<done>& given) {
      if (const auto self = weak.lock())
        self->key_given(mine, here, given, answer);
    });
}

void qemu_machine::key_given(
  const std::shared_ptr<stream_door>& door, const listening& here, const result<done>& given,
  const callback<listening>& answer) {
  if (!given) {
    door->close();
    if (door_ == door)
      door_.reset();
    return answer(tl::unexpected(given.error()));
  }
  call("migrate-set-parameters", key_parameters(here.key), [here, answer](const result<json>& set) {
    answer(set ? result<listening>(here) : tl::unexpected(set.error()));
  });
}

void qemu_machine::admitted(result<unique_fd> connection) {
  door_.reset();
  if (!connection || !client_)
    return; // The source notices that nobody opens.
  const auto ours = std::make_shared<unique_fd>(::fcntl(connection->get(), F_DUPFD_CLOEXEC, 0));
  client_->call_with_fd(
    "getfd", {{"fdname", descriptor_name}}, std::move(*connection), getfd_deadline,
    [](const result<json>&) {});
  const json uri{{"uri", std::string("fd:") + descriptor_name}};
  call("migrate-incoming", uri, [weak = weak_from_this(), ours](const result<json>& accepted) {
    const auto self = weak.lock();
    if (!self || !accepted)
      return; // Closing our end turns the source away.
    if (self->stream_phase_ == stream_phase::none)
      self->stream_phase_ = stream_phase::begun;
    // A source that has gone meanwhile is noticed by QEMU, which reads from the connection now.
    static_cast<void>(give_go_ahead(*ours));
  });
}

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
  knock_ = stream_knock::knock(
    host_->loop, door.host, door.port, door.token,
    [weak = weak_from_this(), attempt](result<unique_fd> connection) {
      if (const auto self = weak.lock())
        self->connected(attempt, std::move(connection));
    });
  set_up_stream(limits, door.key, attempt);
}

void qemu_machine::set_up_stream(
  const stream_limits& limits, const std::string& key, std::uint64_t attempt) {
  parameters_set_ = false;
  json capabilities = json::array();
  for (const auto* name : {"events", "return-path"})
    if (capabilities_.contains(name))
      capabilities.push_back({{"capability", name}, {"state", true}});
  const auto failed = [weak = weak_from_this(), attempt](const error& why) {
    if (const auto self = weak.lock())
      self->stream_failed_to_begin(attempt, why);
  };
  give_key(mark_.number, key, [failed](const result<done>& given) {
    if (!given)
      failed(given.error());
  });
  call(
    "migrate-set-capabilities", {{"capabilities", std::move(capabilities)}},
    [failed](const result<json>& set) {
      if (!set)
        failed(set.error());
    });
  const auto bandwidth = limits.bandwidth_bytes_per_s;
  const auto downtime = limits.downtime_limit_ms;
  json parameters = key_parameters(key);
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
  if (stream_phase_ != stream_phase::connecting || !parameters_set_ || !connection_)
    return;
  if (!client_)
    return stream_failed_to_begin(attempt_, of_vm(errc::retry, "QEMU does not answer", vm_));
  // From here on the stream may run, whatever the answer: its end is told by an event.
  stream_phase_ = stream_phase::begun;
  client_->call_with_fd(
    "getfd", {{"fdname", descriptor_name}}, std::move(connection_), getfd_deadline,
    [](const result<json>&) {});
  const json uri{{"uri", std::string("fd:") + descriptor_name}};
  call("migrate", uri, [weak = weak_from_this(), attempt = attempt_](const result<json>& accepted) {
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
