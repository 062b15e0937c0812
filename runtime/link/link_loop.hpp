// The one thread on which all links of a process do their I/O. Rule: what runs on it is short; it
// outlives its links, who each keep a share of it. What a link does on it keeps none: a thread that
// ends itself is waited for by nobody, and may still be ending when the program has gone.
#pragma once

#include <memory>
#include <thread>

namespace asio {
class io_context;
}

namespace drover {

class link_loop {
public:
  link_loop();
  link_loop(const link_loop&) = delete;
  link_loop& operator=(const link_loop&) = delete;
  /// Ends the thread at once: nothing is told to anybody any more, and descriptors close.
  ~link_loop();

  asio::io_context& context() { return *context_; }

private:
  /// Shared with the thread, which may be the one to end last.
  std::shared_ptr<asio::io_context> context_;
  std::thread thread_;
};

} // namespace drover
