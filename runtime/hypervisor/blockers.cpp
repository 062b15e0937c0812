#include "runtime/hypervisor/blockers.hpp"

#include "runtime/hypervisor/command_line.hpp"
#include "runtime/hypervisor/command_line_devices.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace drover {

namespace {

/// Keys that make a device or change the machine in a way that this driver does not carry out.
constexpr std::array<std::string_view, 11> unsupported_keys{
  "efidisk0", "tpmstate0", "hugepages", "audio0",    "rng0", "watchdog",
  "numa0",    "ivshmem",   "amd-sev",   "intel-tdx", "arch"};

/// Options of a disk that this driver carries out or that change nothing for the guest.
constexpr std::array<std::string_view, 15> known_disk_options{
  "size",   "format", "cache",     "discard", "media",    "serial",   "ssd",          "ro",
  "shared", "backup", "replicate", "aio",     "iothread", "snapshot", "detect_zeroes"};

constexpr std::array<std::string_view, 3> known_net_options{"bridge", "firewall", "queues"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

using sentences = std::vector<std::string>;

void look_at_machine(const vm_config& config, const host_facts& host, sentences& out) {
  if (canonical_machine(config, host).empty())
    out.push_back(
      "machine " + config.machine() + " is not known to QEMU " + host.qemu_version + " here.");
  const auto machine = config.get("machine").value_or("");
  if (machine.find(',') != std::string::npos)
    out.push_back("machine: options (" + machine + ") are not supported.");
  if (config.bios() != "seabios")
    out.push_back("bios: " + config.bios() + " is not supported.");
  const bool wants_kvm = config.get("kvm").has_value() && config.kvm();
  const auto accel = accelerator_for(config, host);
  if (wants_kvm && accel != accelerator::kvm)
    out.push_back("kvm: 1 asks for KVM, which this node does not have.");
  if (config.cpu().starts_with("host") && accel != accelerator::kvm)
    out.push_back("cpu: host needs KVM, which this VM does not use here.");
  if (!display_device(config.vga()))
    out.push_back("vga: " + config.vga() + " is not supported.");
  for (const auto key : unsupported_keys)
    if (config.get(key))
      out.push_back(std::string(key) + " is not supported.");
  if (config.get("template") == "1")
    out.push_back("A template is no VM that runs.");
}

void look_at_disk(
  const disk_entry& disk, const vm_config& config, const host_facts& host, sentences& out) {
  if (disk.volume == "cdrom")
    out.push_back(disk.key + " uses the node's own CD drive.");
  else if (disk.volume != "none" && !volume_path(disk.volume, host.storages))
    out.push_back(
      disk.key + ": storage " + disk.volume.substr(0, disk.volume.find(':')) +
      " is not known to this node.");
  for (const auto& [name, value] : disk.options)
    if (!contains(known_disk_options, name))
      out.push_back(disk.key + ": " + name + "=" + value + " is not supported.");
  if (disk.option("snapshot") == "1")
    out.push_back(disk.key + ": snapshot=1 is not supported.");
  const auto cache = disk.option("cache").value_or("none");
  if (!contains(
        std::array<std::string_view, 5>{
          "none", "writeback", "writethrough", "directsync", "unsafe"},
        cache))
    out.push_back(disk.key + ": cache=" + cache + " is not supported.");
  if (!disk.key.starts_with("scsi"))
    return;
  const auto controller = config.get("scsihw").value_or("lsi");
  if (!contains(
        std::array<std::string_view, 3>{"lsi", "virtio-scsi-pci", "virtio-scsi-single"},
        controller))
    out.push_back("scsihw: " + controller + " is not supported.");
  if (controller == "lsi" && number_in_key(disk.key) >= 14)
    out.push_back(disk.key + ": lsi has no more than 14 disks here.");
}

void look_at_net(const net_entry& net, const host_facts& host, sentences& out) {
  for (const auto& [name, value] : net.options) {
    const bool is_off = value == "0";
    if (name == "bridge" && !host.bridges.contains(value))
      out.push_back(net.key + ": this node has no bridge " + value + ".");
    else if (name != "bridge" && !(contains(known_net_options, name) && is_off))
      out.push_back(net.key + ": " + name + "=" + value + " is not supported.");
  }
}

} // namespace

std::vector<std::string> start_blockers(const vm_config& config, const host_facts& host) {
  sentences out;
  look_at_machine(config, host, out);
  for (const auto& key : config.host_devices())
    out.push_back(key + " is a device of the host, which is not supported.");
  for (const auto& disk : config.disks())
    look_at_disk(disk, config, host, out);
  for (const auto& net : config.nets())
    look_at_net(net, host, out);
  return out;
}

std::vector<std::string> move_blockers(const vm_config& config, const host_facts& host) {
  sentences out;
  for (const auto& disk : config.disks()) {
    if (disk.volume == "none" || disk.volume == "cdrom" || disk.option("shared") == "1")
      continue;
    const auto storage = host.storages.find(disk.volume.substr(0, disk.volume.find(':')));
    const bool is_shared =
      storage != host.storages.end() && storage->second.reach == storage_reach::shared;
    if (!is_shared)
      out.push_back(disk.key + " (" + disk.volume + ") is on this node only: not shared storage.");
  }
  return out;
}

} // namespace drover
