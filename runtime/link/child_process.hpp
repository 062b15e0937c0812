// A child process with lines in and out. Rule: it gets a session of its own, so that Ctrl-C at the
// terminal does not reach it, no descriptor but the first three, and no blocked or ignored signal.
#pragma once

#include "runtime/base/error.hpp"

#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace drover {

/// Owns a file descriptor.
class unique_fd {
public:
  unique_fd() = default;
  explicit unique_fd(int fd) : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~unique_fd();

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

private:
  int fd_ = -1;
};

struct child_process {
  pid_t pid = 0;
  unique_fd watch;  ///< a pidfd: readable when the child has ended
  unique_fd input;  ///< to its stdin: a socket, because writing to a pipe may raise SIGPIPE
  unique_fd output; ///< from its stdout
  off_t log_start = 0;
};

/// argv[0] is looked for in PATH. `log_path` is where stderr is appended to; empty = inherited.
result<child_process> spawn_child(
  const std::vector<std::string>& argv, const std::string& log_path);

/// Collects the ended child: "exited with status 3", "was killed by signal 9 (Killed)".
std::string reap_child(const child_process& child);

/// The last line that this child wrote to its log, cut short; empty if there is none.
std::string last_log_line(const child_process& child, const std::string& log_path);

} // namespace drover
