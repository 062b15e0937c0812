// Runs a small tool of the system (ip, ssh-keygen) to its end. Rule: bounded; what it printed is
// the error's text.
#pragma once

#include "runtime/base/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace drover {

/// Its output goes to the file `log`, which is replaced.
result<done> run_tool(const std::vector<std::string>& argv, const std::filesystem::path& log);

} // namespace drover
