// What a simulated QEMU is started from, and what it says of itself afterwards. Rule: pure, and
// made by the code that the real driver uses: the same configs are refused, in the same words, and
// the same pinned config gives the same devices.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/wire/message.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace drover {

/// Any QEMU of the simulated hosts.
inline constexpr const char* sim_qemu_version = "7.2.22";

struct sim_launch {
  std::string config; ///< pinned
  std::uint64_t memory_bytes = 0;
  bool is_planned = false; ///< its config alone decides what it is
  /// Why QEMU ends while it starts; empty = it starts.
  std::string failure;
};

enum class sim_launch_mode : std::uint8_t { run, receive };

/// `invalid` when the config cannot be read, `refused` with every reason why it cannot run here.
result<sim_launch> plan_sim_launch(vm_id vm, const std::string& config, sim_launch_mode mode);

/// Why a config cannot be started or moved, each a sentence.
std::vector<std::string> sim_blockers(const std::string& config);

/// What a QEMU that was started from a pinned config answers about itself.
wire::machine_facts sim_facts(vm_id vm, const std::string& pinned_config);

/// Why QEMU refuses the stream of the one at the other: at once, or when the devices come, which is
/// in the switchover. Empty = it takes it.
struct sim_mismatch {
  std::string at_once;
  std::string at_devices;
};
sim_mismatch sim_mismatch_of(
  vm_id vm, const std::string& source_config, const std::string& target_config);

} // namespace drover
