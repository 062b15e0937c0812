#include "runtime/link/ssh/host_trust.hpp"

#include "runtime/link/ssh/kex_offer.hpp"
#include "runtime/link/ssh/login_errors.hpp"
#include "runtime/link/ssh/name_lookup.hpp"
#include "runtime/link/ssh/ssh_session.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace drover::ssh {
namespace {

/// False when the time is over.
bool wait_for(int fd, short events, mono_time until) {
  const auto left = std::chrono::ceil<milliseconds>(until - monotonic_now());
  pollfd one{fd, events, 0};
  return left.count() > 0 && ::poll(&one, 1, static_cast<int>(left.count())) > 0;
}

result<unique_fd> connect_to(
  const asio::ip::tcp::endpoint& address, const std::string& peer, mono_time until) {
  unique_fd socket(
    ::socket(address.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  int number = 0;
  if (
    ::connect(socket.get(), address.data(), static_cast<socklen_t>(address.size())) != 0 &&
    errno != EINPROGRESS)
    number = errno;
  else if (!wait_for(socket.get(), POLLOUT, until))
    return fail(errc::timeout, "cannot connect to " + peer + ": no answer in time");
  socklen_t size = sizeof number;
  if (number == 0)
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number, &size);
  if (number != 0)
    return fail(errc::lost, "cannot connect to " + peer + ": " + std::strerror(number));
  return socket;
}

} // namespace

result<host_key> fetch_host_key(
  const std::string& host, std::uint16_t port, milliseconds connect_within,
  milliseconds handshake_within) {
  const auto peer = host + ":" + std::to_string(port);
  const auto addresses = addresses_of(host, port);
  if (!addresses)
    return tl::unexpected<error>(addresses.error());
  auto socket = connect_to(addresses->front(), peer, monotonic_now() + connect_within);
  for (std::size_t n = 1; !socket && n < addresses->size(); ++n)
    socket = connect_to((*addresses)[n], peer, monotonic_now() + connect_within);
  if (!socket)
    return tl::unexpected<error>(socket.error());
  auto session = ssh_session::make(std::move(*socket), our_methods.host_keys);
  if (!session)
    return tl::unexpected<error>(session.error());
  const auto until = monotonic_now() + handshake_within;
  while (true) {
    auto made = (*session)->handshake();
    if (!made)
      return tl::unexpected<error>(handshake_error(
        std::move(made.error()), {"", peer, (*session)->first_bytes(), our_methods.host_keys}));
    if (*made == step::done)
      return (*session)->server_key();
    const short wish = (*session)->is_half_sent() ? POLLOUT : POLLIN;
    if (!wait_for((*session)->fd(), wish, until))
      return fail(errc::timeout, peer + " does not answer the SSH handshake in time");
  }
}

} // namespace drover::ssh
