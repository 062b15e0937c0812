// argv as the one text that SSH carries. Rule: pure; the far side's login shell reads the text, so
// every word is quoted unless it is harmless in any shell.
#pragma once

#include "runtime/base/error.hpp"

#include <string>
#include <vector>

namespace drover::ssh {

result<std::string> command_text(const std::vector<std::string>& argv);

} // namespace drover::ssh
