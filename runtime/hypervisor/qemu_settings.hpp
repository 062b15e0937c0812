// How one node runs QEMU. Rule: plain data, checked by who reads the cluster file; the run
// directory belongs to one node alone (two nodes on one machine have two of them).
#pragma once

#include "runtime/base/ids.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace drover {

enum class acceleration : std::uint8_t {
  automatic, ///< kvm where the host has it and the config does not say `kvm: 0`
  tcg,
  kvm,
};

/// Who else sees the files of a storage.
enum class storage_reach : std::uint8_t {
  local,  ///< this node only: a VM with a disk there cannot move
  shared, ///< every node of the cluster, under the same path
};

/// A directory of volumes; `images/` and `template/iso/` below it are used when they exist, as in a
/// directory storage of Proxmox VE.
struct storage_path {
  std::filesystem::path path;
  storage_reach reach = storage_reach::local;
};

/// What the driver does with the QEMUs that it finds.
enum class hypervisor_access : std::uint8_t {
  control,
  /// Asks their rescue sockets for their states and changes nothing, no file either: another
  /// process has control.
  observe,
};

struct qemu_settings {
  node_id node;
  std::filesystem::path run_dir;
  /// Numeric address of the migration network, IPv4 or IPv6.
  std::string migration_address = "127.0.0.1";
  std::string qemu_binary = "qemu-system-x86_64"; ///< a name is searched in PATH
  acceleration accel = acceleration::automatic;
  std::map<std::string, storage_path> storages;
  hypervisor_access access = hypervisor_access::control;
  /// Serves `--relay`: this very program, also when its file was replaced meanwhile.
  std::string relay_program = "/proc/self/exe";
};

} // namespace drover
