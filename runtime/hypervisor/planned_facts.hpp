// What a QEMU will say of itself, from what it is started with. Rule: pure, and no more than the
// command line decides: a QEMU that starts at all is what its own words say.
#pragma once

#include "runtime/hypervisor/launch.hpp"
#include "runtime/store/vm_config.hpp"
#include "runtime/wire/machine_facts.hpp"

#include <optional>
#include <string>

namespace drover {

/// Of a pinned config, but for what its `args` may add. The uuid is in QEMU's small letters.
wire::machine_facts planned_facts(const vm_config& config, const launch_facts& facts);

/// Whether `args` has no words but those that are known to add nothing.
bool is_planned_whole(const vm_config& config);

/// What nothing changes while a QEMU runs, by the config that it was started with: machine and
/// uuid, all else empty. nullopt where the config does not tell, or cannot be read.
std::optional<wire::machine_facts> lasting_facts(const std::string& started_config);

} // namespace drover
