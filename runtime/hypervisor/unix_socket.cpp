#include "runtime/hypervisor/unix_socket.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace drover {

namespace {

result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    return fail(errc::invalid, "path is too long for a unix socket", path.native());
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

} // namespace

result<unique_fd> listen_privately(const std::filesystem::path& path, int waiting_clients) {
  const auto address = address_of(path);
  if (!address)
    return tl::unexpected(address.error());
  ::unlink(path.c_str());
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (
    !fd || ::fchmod(fd.get(), 0600) != 0 ||
    ::bind(fd.get(), generic(*address), sizeof *address) != 0 ||
    ::listen(fd.get(), waiting_clients) != 0)
    return fail(
      errc::refused, std::string("cannot make a socket: ") + std::strerror(errno), path.native());
  return fd;
}

result<unique_fd> connect_at_once(const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address)
    return tl::unexpected(address.error());
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd && ::connect(fd.get(), generic(*address), sizeof *address) == 0)
    return fd;
  return fail(
    errno == EAGAIN ? errc::retry : errc::lost,
    std::string("cannot connect to a socket: ") + std::strerror(errno), path.native());
}

} // namespace drover
