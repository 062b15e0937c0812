// Starts a process that outlives its parent. Rule: a session of its own (no Ctrl-C, no hang-up),
// default signals, stdin from /dev/null, and only the descriptors that are named here.
#pragma once

#include "runtime/base/error.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

struct spawn_request {
  std::vector<std::string> argv; ///< argv[0] is searched in PATH
  int input = -1;                ///< -1 = /dev/null
  int output = -1;
  int errors = -1;
  /// Become 3, 4, 5, ... in the child.
  std::vector<int> descriptors;
};

/// The first number of `descriptors` in the child.
inline constexpr int first_passed_fd = 3;

/// Errors: `refused` when the program cannot be started (missing, not executable).
result<pid_t> spawn(const spawn_request& request);

} // namespace drover
