// Network ports of this host. Rule: a tap belongs to the QEMU that gets its descriptor and goes
// with it; the kernel chooses its name, so that two nodes on one host never collide.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/unique_fd.hpp"

#include <string>

namespace drover {

/// A new tap, up and a port of the bridge.
result<unique_fd> open_tap(const std::string& bridge);

} // namespace drover
