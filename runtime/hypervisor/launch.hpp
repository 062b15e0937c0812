// What a QEMU command line is made from besides the VM's config. Rule: plain data; the driver finds
// it out (files, devices, the binary), the pure code in command_line and blockers judges by it.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/hypervisor/qemu_settings.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace drover {

enum class accelerator : std::uint8_t { tcg, kvm };

enum class launch_mode : std::uint8_t {
  run,
  /// Paused, and waits for a migration stream.
  receive,
};

/// Where a storage's volumes are.
struct storage_root {
  std::filesystem::path images;
  std::filesystem::path isos;
  storage_reach reach = storage_reach::local;
};

/// What this node offers to any VM.
struct host_facts {
  std::string qemu_version;
  /// Versioned machines of the binary, and aliases -> versioned.
  std::set<std::string> machines;
  std::map<std::string, std::string> machine_aliases;
  /// See `binary_facts`.
  std::vector<std::string> switch_words;
  /// What the settings and /dev/kvm allow at most.
  accelerator best = accelerator::tcg;
  std::map<std::string, storage_root> storages;
  std::set<std::string> bridges;
};

struct launch_facts {
  vm_id vm;
  std::filesystem::path run_dir;
  std::string binary;
  launch_mode mode = launch_mode::run;
  host_facts host;
};

/// Numbers of the descriptors that a QEMU gets from the driver; taps follow in the order of nets.
inline constexpr int control_fd = 3;
inline constexpr int rescue_fd = 4;
inline constexpr int first_tap_fd = 5;

} // namespace drover
