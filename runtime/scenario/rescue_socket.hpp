// One command on a QEMU's rescue socket, from outside its agent. Rule: for scenarios only, to bring
// a VM into a state that drover itself has no command for.
#pragma once

#include "runtime/base/error.hpp"

#include <filesystem>
#include <string>

namespace drover {

/// Sends e.g. {"execute":"stop"} and waits for its return, at most five seconds.
result<done> tell_qemu(const std::filesystem::path& socket, const std::string& command);

} // namespace drover
