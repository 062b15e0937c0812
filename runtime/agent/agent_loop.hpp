// The agent as a process: lines on standard input and output, real drivers, one event loop. Rule:
// it connects and decides nothing; one acting agent per run directory, which a file lock guards.
//
// A second agent waits a moment for the lock, because the first may be on its way out; then it
// answers every request with `conflict` and says who holds the node. One whose controller is gone
// gives way to it at once.
#pragma once

#include "runtime/agent/agent.hpp"
#include "runtime/base/error.hpp"
#include "runtime/hypervisor/qemu_settings.hpp"
#include "runtime/store/make_store.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace asio {
class io_context;
}

namespace drover {

class hypervisor;

struct agent_loop_settings {
  qemu_settings qemu; ///< with the node and its run directory
  store_spec store;
  agent_access access = agent_access::control;
  std::uint64_t bandwidth_bytes_per_s = 0; ///< of all streams that leave; 0 = unlimited
  /// In the place of QEMU; called once the node's seat is taken. Empty = QEMU.
  std::function<std::unique_ptr<hypervisor>(asio::io_context&)> make_hypervisor;
};

/// Serves standard input until it ends and everything in flight is safe. Errors are of the start
/// only.
result<done> run_agent_loop(const agent_loop_settings& settings);

} // namespace drover
