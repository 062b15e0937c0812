#include "runtime/hypervisor/qmp_client.hpp"

#include <algorithm>
#include <asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace drover {

using nlohmann::json;
using clock = std::chrono::steady_clock;

qmp_client::qmp_client(asio::io_context& loop, qmp_listener listener)
  : socket_(loop), timer_(loop), listener_(std::move(listener)) {}

qmp_client::~qmp_client() = default;

result<std::shared_ptr<qmp_client>> qmp_client::connect(
  asio::io_context& loop, const std::filesystem::path& path, qmp_listener listener) {
  std::shared_ptr<qmp_client> client(new qmp_client(loop, std::move(listener)));
  if (path.native().size() >= sizeof(sockaddr_un{}.sun_path))
    return fail(errc::invalid, "path is too long for a unix socket", path.native());
  asio::error_code failure;
  client->socket_.open({}, failure);
  // Non-blocking before connect: a full backlog is an error to tell, not a reason to hang.
  if (!failure)
    client->socket_.native_non_blocking(true, failure);
  if (!failure) {
    const asio::local::stream_protocol::endpoint endpoint(path.native());
    if (
      ::connect(
        client->socket_.native_handle(), endpoint.data(),
        static_cast<socklen_t>(endpoint.size())) != 0)
      failure = asio::error_code(errno, asio::error::get_system_category());
  }
  if (failure)
    return fail(errc::lost, "cannot connect to QEMU: " + failure.message(), path.native());
  client->read_more();
  return client;
}

void qmp_client::call(
  std::string_view command, const json& arguments, milliseconds deadline, callback<json> answer) {
  call_with_fd(command, arguments, {}, deadline, std::move(answer));
}

void qmp_client::call_with_fd(
  std::string_view command, const json& arguments, unique_fd fd, milliseconds deadline,
  callback<json> answer) {
  if (!open_) {
    asio::post(socket_.get_executor(), [answer = std::move(answer)] {
      answer(fail(errc::retry, "there is no connection to QEMU"));
    });
    return;
  }
  const auto id = session_.send(command, arguments);
  waiting_.emplace(
    id, waiting{std::string{command}, clock::now() + deadline, std::move(answer), std::move(fd)});
  arm_timer();
  write_more();
}

void qmp_client::drain() {
  while (open_) {
    const auto n = ::recv(socket_.native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n <= 0)
      return;
    take_in({buffer_.data(), static_cast<std::size_t>(n)});
  }
}

void qmp_client::close() {
  if (!open_)
    return;
  open_ = false;
  // One of these may be running right now and call us: they are destroyed when it is through.
  asio::post(
    socket_.get_executor(), [old = std::move(listener_), all = std::exchange(waiting_, {})] {});
  listener_ = {};
  timer_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
}

void qmp_client::read_more() {
  socket_.async_read_some(
    asio::buffer(buffer_),
    [self = shared_from_this()](const asio::error_code& failure, std::size_t n) {
      if (!self->open_)
        return;
      if (failure)
        return self->lose({errc::lost, "QEMU closed its control socket", failure.message()});
      self->take_in({self->buffer_.data(), n});
      if (self->open_)
        self->read_more();
    });
}

void qmp_client::take_in(std::string_view bytes) {
  auto items = session_.receive(bytes);
  if (!items)
    return lose(items.error());
  // An owner may drop its last reference inside a call.
  const auto keep = shared_from_this();
  // The greeting may have opened the way for what was held.
  write_more();
  for (const auto& item : *items)
    if (open_)
      take(item);
}

void qmp_client::take(const qmp_item& item) {
  if (const auto* ready = std::get_if<qmp_ready>(&item))
    return listener_.on_ready(*ready);
  if (const auto* event = std::get_if<qmp_event>(&item))
    return listener_.on_event(*event);
  const auto& reply = std::get<qmp_reply>(item);
  auto at = waiting_.find(reply.id);
  if (at == waiting_.end())
    return; // Its deadline has passed and was told.
  auto one = std::move(at->second);
  waiting_.erase(at);
  if (reply.body)
    return one.answer(reply.body);
  auto failure = reply.body.error();
  failure.context = one.command;
  one.answer(tl::unexpected(std::move(failure)));
}

void qmp_client::write_more() {
  while (open_ && !waits_writable_) {
    if (!writing_ && !(writing_ = session_.next_output()))
      return;
    if (!write_some())
      return;
    writing_.reset();
  }
}

bool qmp_client::write_some() {
  while (!writing_->bytes.empty()) {
    iovec part{writing_->bytes.data(), writing_->bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    const auto at = waiting_.find(writing_->id);
    const bool has_fd = at != waiting_.end() && at->second.fd;
    if (has_fd) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      auto* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      const int fd = at->second.fd.get();
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    const auto n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      // Whether QEMU is gone is told by the reading side, which also gets what it said last.
      if (errno == EAGAIN)
        wait_writable();
      return false;
    }
    if (has_fd)
      at->second.fd.reset();
    writing_->bytes.erase(0, static_cast<std::size_t>(n));
  }
  return true;
}

void qmp_client::wait_writable() {
  waits_writable_ = true;
  socket_.async_wait(
    asio::socket_base::wait_write, [self = shared_from_this()](const asio::error_code& failure) {
      self->waits_writable_ = false;
      if (!failure)
        self->write_more();
    });
}

void qmp_client::arm_timer() {
  if (waiting_.empty())
    return;
  const auto first =
    std::min_element(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
      return a.second.deadline < b.second.deadline;
    });
  // A timer that is due early finds nothing and is armed again: cheaper than one per command.
  if (armed_ && *armed_ <= first->second.deadline)
    return;
  armed_ = first->second.deadline;
  timer_.expires_at(*armed_);
  timer_.async_wait([weak = weak_from_this()](const asio::error_code& failure) {
    if (const auto self = weak.lock(); self && !failure && self->open_)
      self->expire();
  });
}

void qmp_client::expire() {
  armed_.reset();
  const auto now = clock::now();
  std::vector<std::pair<waiting, errc>> late;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (at->second.deadline > now) {
      ++at;
      continue;
    }
    const bool never_sent = session_.withdraw(at->first);
    late.emplace_back(std::move(at->second), never_sent ? errc::retry : errc::timeout);
    at = waiting_.erase(at);
  }
  const auto keep = shared_from_this();
  arm_timer();
  for (auto& [one, code] : late)
    if (open_)
      one.answer(fail(code, "QEMU does not answer", one.command));
}

void qmp_client::lose(error why) {
  const auto keep = shared_from_this();
  auto all = std::exchange(waiting_, {});
  const auto on_lost = listener_.on_lost;
  close();
  for (auto& [id, one] : all)
    one.answer(fail(session_.is_held(id) ? errc::retry : errc::lost, why.what, one.command));
  if (on_lost)
    on_lost(why);
}

} // namespace drover
