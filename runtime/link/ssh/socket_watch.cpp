#include "runtime/link/ssh/socket_watch.hpp"

#include <fcntl.h>
#include <utility>

namespace drover::ssh {

using descriptor = asio::posix::stream_descriptor;

struct socket_watch::state {
  state(asio::io_context& context, int socket, std::function<void()> tell)
    : copy(context, ::fcntl(socket, F_DUPFD_CLOEXEC, 0)), moved(std::move(tell)) {}
  descriptor copy;
  std::function<void()> moved;
  bool waits_readable = false;
  bool waits_writable = false;
};

socket_watch::socket_watch(asio::io_context& context, int socket, std::function<void()> moved)
  : state_(std::make_shared<state>(context, socket, std::move(moved))) {}

socket_watch::~socket_watch() {
  state_->moved = nullptr;
  asio::error_code ignored;
  state_->copy.close(ignored);
}

void socket_watch::wait(wish what) {
  const auto waits = what == wish::readable ? &state::waits_readable : &state::waits_writable;
  if (std::exchange(*state_.*waits, true))
    return;
  state_->copy.async_wait(
    what == wish::readable ? descriptor::wait_read : descriptor::wait_write,
    [kept = state_, waits](const asio::error_code& failed) {
      *kept.*waits = false;
      if (failed)
        return;
      // A copy, because what is called may end the watch.
      if (const auto tell = kept->moved)
        tell();
    });
}

} // namespace drover::ssh
