// Waits on the loop until a socket can be read or written. Rule: it never reads or writes; the
// socket stays its owner's, who may end first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

// After a header of the standard library: asio 1.22 chooses its allocator by what that has defined,
// and two files that choose differently free each other's memory in the wrong way.
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

namespace drover::ssh {

class socket_watch {
public:
  /// `moved` is called on the loop's thread, sometimes for nothing.
  socket_watch(asio::io_context& context, int socket, std::function<void()> moved);
  socket_watch(const socket_watch&) = delete;
  socket_watch& operator=(const socket_watch&) = delete;
  /// Nothing is called any more.
  ~socket_watch();

  enum class wish : std::uint8_t { readable, writable };
  /// Wishes add up; each is granted once.
  void wait(wish what);

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace drover::ssh
