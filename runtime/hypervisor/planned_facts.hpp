// What a QEMU will say of itself, from what it is started with. Rule: pure, and no more than the
// command line decides: a QEMU that starts at all is what its own words say.
#pragma once

#include "runtime/hypervisor/launch.hpp"
#include "runtime/store/vm_config.hpp"
#include "runtime/wire/machine_facts.hpp"

namespace drover {

/// Of a pinned config, but for what its `args` may add.
wire::machine_facts planned_facts(const vm_config& config, const launch_facts& facts);

/// Whether `args` has no words but those that are known to add nothing.
bool is_planned_whole(const vm_config& config);

} // namespace drover
