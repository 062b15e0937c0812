#include "runtime/hypervisor/relay_process.hpp"

#include "runtime/hypervisor/spawn.hpp"
#include "runtime/hypervisor/stream_relay.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace drover {

result<new_relay> start_relay(const std::string& program, const std::filesystem::path& about) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail(errc::retry, std::string("cannot make a socket: ") + std::strerror(errno));
  new_relay made{{}, unique_fd(ends[0])};
  const unique_fd theirs(ends[1]);
  const auto pid = spawn({{program, "--relay", about.native()}, theirs.get(), -1, -1, {}});
  if (!pid)
    return tl::unexpected(pid.error());
  made.process = {*pid, unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)))};
  return made;
}

result<void> hand_to_relay(const unique_fd& control, unique_fd inner, unique_fd outer) {
  char what = stream_relay::pair_message;
  iovec bytes{&what, 1};
  const std::array<int, 2> fds{inner.get(), outer.get()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> room{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  auto* passed = CMSG_FIRSTHDR(&message);
  passed->cmsg_level = SOL_SOCKET;
  passed->cmsg_type = SCM_RIGHTS;
  passed->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(passed), fds.data(), sizeof fds);
  if (::sendmsg(control.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
    return fail(errc::lost, "the relay has gone");
  return {};
}

void complete_relay(unique_fd control) {
  const char what = stream_relay::complete_message;
  // One that has gone already needs no word.
  static_cast<void>(::send(control.get(), &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

} // namespace drover
