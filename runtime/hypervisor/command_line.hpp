// A VM's config -> the words of its QEMU command line. Rule: pure and stable: the same pinned
// config gives the same devices, ids, node names and PCI slots on every node, because a migration
// stream finds its devices by them. Slots follow Proxmox VE's table (README.md).
#pragma once

#include "runtime/hypervisor/launch.hpp"
#include "runtime/store/vm_config.hpp"

#include <string>
#include <vector>

namespace drover {

/// The config with everything written out that another node could choose differently: the versioned
/// machine, the CPU model, the accelerator, the uuid. This is what a QEMU is started with and what
/// its target gets. Precondition: start_blockers is empty.
vm_config pinned(const vm_config& config, const launch_facts& facts);

/// The accelerator that a config gets on this host.
accelerator accelerator_for(const vm_config& config, const host_facts& host);

/// The versioned name of a config's machine, without Proxmox's "+pveN"; empty = unknown here.
std::string canonical_machine(const vm_config& config, const host_facts& host);

/// The CPU model that a pinned config is started with, as QEMU calls it.
std::string cpu_model(const vm_config& config);

/// argv of a pinned config. Precondition: start_blockers is empty.
std::vector<std::string> command_line(const vm_config& config, const launch_facts& facts);

/// The bridges whose taps the command line expects as descriptors, from `first_tap_fd` on.
std::vector<std::string> tap_bridges(const vm_config& config);

} // namespace drover
