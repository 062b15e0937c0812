#include "runtime/hypervisor/sim_launch.hpp"

#include "runtime/base/check.hpp"
#include "runtime/hypervisor/blockers.hpp"
#include "runtime/hypervisor/command_line.hpp"
#include "runtime/hypervisor/planned_facts.hpp"

#include <algorithm>
#include <string_view>

namespace drover {

namespace {

/// The most that the `memory` key can ask for; only `-m` in `args` asks for more.
constexpr std::uint64_t memory_bytes_most = std::uint64_t{4} << 40U;

constexpr std::string_view local_prefix = "local";

host_facts bare_host() {
  host_facts host;
  host.qemu_version = sim_qemu_version;
  host.best = accelerator::kvm;
  host.machines = {"microvm", "isapc"};
  for (const auto* version :
       {"4.0", "4.1", "4.2", "5.0", "5.1", "5.2", "6.0", "6.1", "6.2", "7.0", "7.1", "7.2"}) {
    host.machines.insert(std::string("pc-i440fx-") + version);
    host.machines.insert(std::string("pc-q35-") + version);
  }
  host.machine_aliases = {{"pc", "pc-i440fx-7.2"}, {"q35", "pc-q35-7.2"}};
  return host;
}

/// A host of this world. It has every storage and bridge that a config names; as on Proxmox VE's
/// hosts, the storages whose names begin with "local" are the node's own.
host_facts host_for(const vm_config& config) {
  static const host_facts bare = bare_host();
  auto host = bare;
  for (const auto& disk : config.disks()) {
    const auto name = disk.volume.substr(0, disk.volume.find(':'));
    const auto reach =
      name.starts_with(local_prefix) ? storage_reach::local : storage_reach::shared;
    host.storages[name] = {"/sim/" + name + "/images", "/sim/" + name + "/isos", reach};
  }
  for (const auto& bridge : tap_bridges(config))
    host.bridges.insert(bridge);
  return host;
}

launch_facts launch_for(vm_id vm, const vm_config& config) {
  return {vm, "/sim/run", "qemu-system-x86_64", launch_mode::run, host_for(config)};
}

vm_config parsed(const std::string& pinned_config) {
  auto config = vm_config::parse(pinned_config);
  DROVER_CHECK(config.has_value(), "a simulated QEMU runs from a config that can be read");
  return *config;
}

} // namespace

result<sim_launch> plan_sim_launch(vm_id vm, const std::string& config, sim_launch_mode mode) {
  const auto where = "VM " + to_string(vm);
  const auto read = vm_config::parse(config, where);
  if (!read)
    return tl::unexpected(read.error());
  const auto launch = launch_for(vm, *read);
  auto reasons = start_blockers(*read, launch.host);
  if (mode == sim_launch_mode::receive)
    for (auto& reason : move_blockers(*read, launch.host))
      reasons.push_back(std::move(reason));
  if (!reasons.empty()) {
    std::string all;
    for (const auto& reason : reasons)
      all += (all.empty() ? "" : " ") + reason;
    return fail(errc::refused, all, where);
  }
  sim_launch plan{pinned(*read, launch).text(), read->memory_bytes(), is_planned_whole(*read), {}};
  if (plan.memory_bytes > memory_bytes_most)
    plan.failure = "cannot set up guest memory 'pc.ram': Cannot allocate memory";
  return plan;
}

std::vector<std::string> sim_blockers(const std::string& config) {
  const auto read = vm_config::parse(config);
  if (!read)
    return {to_string(read.error())};
  const auto host = host_for(*read);
  auto reasons = start_blockers(*read, host);
  for (auto& reason : move_blockers(*read, host))
    reasons.push_back(std::move(reason));
  return reasons;
}

wire::machine_facts sim_facts(vm_id vm, const std::string& pinned_config) {
  const auto config = parsed(pinned_config);
  return planned_facts(config, launch_for(vm, config));
}

sim_mismatch sim_mismatch_of(
  vm_id vm, const std::string& source_config, const std::string& target_config) {
  if (source_config == target_config)
    return {};
  const auto source = sim_facts(vm, source_config);
  const auto target = sim_facts(vm, target_config);
  if (source.machine != target.machine)
    return {
      "Machine type received is '" + source.machine + "' and local is '" + target.machine + "'",
      {}};
  if (source.memory_bytes != target.memory_bytes)
    return {"Size mismatch: pc.ram", {}};
  if (source.cpus > target.cpus)
    return {{}, "Unknown section or instance 'cpu_common' " + std::to_string(target.cpus)};
  for (const auto& device : source.devices)
    if (!std::binary_search(target.devices.begin(), target.devices.end(), device))
      return {{}, "Unknown savevm section or instance '" + device + "'"};
  // More vCPUs or devices, another CPU model, another uuid: QEMU takes them silently.
  return {};
}

} // namespace drover
