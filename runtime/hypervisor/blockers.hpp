// Why a config cannot run or move here, in sentences for people. Rule: pure; what drover does not
// know how to do the way the config asks is said before anything starts, never left out silently.
#pragma once

#include "runtime/hypervisor/launch.hpp"
#include "runtime/store/vm_config.hpp"

#include <string>
#include <vector>

namespace drover {

/// Why no QEMU can be started from it on this host.
std::vector<std::string> start_blockers(const vm_config& config, const host_facts& host);

/// Why it cannot move, besides those: what it uses is on one node only.
std::vector<std::string> move_blockers(const vm_config& config, const host_facts& host);

} // namespace drover
