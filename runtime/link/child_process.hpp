// A child process with lines in and out. Rule: it gets a session of its own, so that Ctrl-C at the
// terminal does not reach it, no descriptor but the first three, and no blocked or ignored signal.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/unique_fd.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

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
