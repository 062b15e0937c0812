// The part of a command line that makes devices: disks, networks, display, serial ports, the guest
// agent's channel. Rule as in command_line.hpp.
#pragma once

#include "runtime/hypervisor/launch.hpp"
#include "runtime/store/vm_config.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// Words of all devices of the config, in the order of their keys.
std::vector<std::string> device_words(const vm_config& config, const launch_facts& facts);

/// The file of a volume; nullopt when its storage is not known.
std::optional<std::filesystem::path> volume_path(
  std::string_view volume, const std::map<std::string, storage_root>& storages);

/// QEMU's device for `vga:`; empty = no display; nullopt = not supported.
std::optional<std::string> display_device(std::string_view vga);

/// "virtio12" -> 12.
std::uint32_t number_in_key(std::string_view key);

/// A value inside a QEMU option list, where a comma is written twice.
std::string option_value(std::string_view text);

} // namespace drover
