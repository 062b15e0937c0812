#include "tests/bench/bare_qmp.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace drover::bench {

bare_qmp::bare_qmp(const std::string& path, reader read)
  : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), read_(std::move(read)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("nobody listens at " + path);
  ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
}

void bare_qmp::send(std::string_view line) {
  // A few short commands never fill a socket's buffer.
  if (
    ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
    static_cast<ssize_t>(line.size()))
    throw std::runtime_error("QEMU takes no command");
}

void bare_qmp::send(std::string_view line, int descriptor) {
  std::string text{line};
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("QEMU takes no command");
}

void bare_qmp::take_in() {
  std::array<char, 16384> bytes{};
  for (;;) {
    const auto n = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      break;
    if (n <= 0)
      return close();
    held_.append(bytes.data(), static_cast<std::size_t>(n));
  }
  std::size_t begin = 0;
  for (auto end = held_.find('\n'); end != std::string::npos; end = held_.find('\n', begin)) {
    const auto message = nlohmann::json::parse(
      held_.begin() + static_cast<std::ptrdiff_t>(begin),
      held_.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end + 1;
    read_(message);
    if (!is_open())
      return;
  }
  held_.erase(0, begin);
}

} // namespace drover::bench
