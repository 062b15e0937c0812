// How a stream comes in at the target.
#include "runtime/hypervisor/qemu_machine.hpp"
#include "runtime/hypervisor/stream_key.hpp"

#include <fcntl.h>
#include <utility>

namespace drover {

using nlohmann::json;

namespace {

/// Short, because QEMU reads its commands byte by byte.
constexpr const char* descriptor_name = "s";
constexpr milliseconds getfd_deadline{5'000};

error of_vm(errc code, std::string what, vm_id vm) {
  return {code, std::move(what), "VM " + to_string(vm)};
}

} // namespace

void qemu_machine::open_door(epoch number, const stream_form& form, callback<listening> answer) {
  const auto refuse = [&](errc code, const char* what) {
    host_->answer_later<listening>(std::move(answer), tl::unexpected(of_vm(code, what, vm_)));
  };
  if (phase_ != phase::up)
    return refuse(errc::retry, "QEMU is not ready");
  if (mark_.role != stream_role::target || mark_.number != number)
    return refuse(errc::conflict, "no QEMU receives under this epoch here");
  if (stream_phase_ != stream_phase::none)
    return refuse(errc::refused, "its stream has come in already");
  if (form.channels > channels_max())
    return refuse(errc::refused, "its QEMU does not know so many channels");
  close_channels();
  if (door_)
    door_->close();
  listening here{
    host_->settings.migration_address, 0, make_secret(),
    form.kind == stream_kind::tls ? make_secret() : std::string{}, form.channels};
  auto door = stream_door::open(
    host_->loop, here.host, here.token,
    [weak = weak_from_this()](result<unique_fd> connection) {
      if (const auto self = weak.lock())
        self->admitted(std::move(connection));
    },
    connections_of(form.channels));
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
  set_receiving_channels(
    here.channels, [weak = weak_from_this(), here, answer](const result<done>& prepared) {
      const auto self = weak.lock();
      if (!self)
        return;
      if (!prepared)
        return answer(tl::unexpected(prepared.error()));
      // From here on it may be the one that others wait for.
      self->patience_timer_.cancel();
      if (self->process_)
        self->process_->raise();
      const auto parameters = self->stream_parameters(here.key);
      if (parameters.empty())
        return answer(here);
      self->call("migrate-set-parameters", parameters, [here, answer](const result<json>& set) {
        answer(set ? result<listening>(here) : tl::unexpected(set.error()));
      });
    });
}

void qemu_machine::admitted(result<unique_fd> connection) {
  if (!connection || !client_)
    return; // The source notices that nobody opens.
  if (channels_ > 1)
    return admitted_channel(std::move(*connection));
  door_.reset();
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

} // namespace drover
