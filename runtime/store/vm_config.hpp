// A VM's config in Proxmox's format, as it is in the store. Rule: what drover does not change stays
// byte for byte: unknown keys, comments, the order, [PENDING] and snapshot sections.
//
// Format (Proxmox VE, qemu-server): lines `key: value`; lines that begin with `#` are the
// description; a line `[name]` begins a section that is not the running VM's; everything before the
// first section is the VM itself.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drover {

/// `virtio0: store:100/vm-100-disk-0.raw,size=4G,shared=1`
struct disk_entry {
  std::string key;    ///< scsi0, virtio1, sata0, ide2
  std::string volume; ///< "storage:name", an absolute path, or "none" (an empty drive)
  std::vector<std::pair<std::string, std::string>> options; ///< in their order
  bool is_cdrom() const;
  std::optional<std::string> option(std::string_view name) const;
  bool operator==(const disk_entry&) const = default;
};

/// `net0: virtio=BC:24:11:00:00:01,bridge=vmbr0`
struct net_entry {
  std::string key;
  std::string model; ///< virtio, e1000, ...
  std::string mac;
  std::vector<std::pair<std::string, std::string>> options;
  bool operator==(const net_entry&) const = default;
};

class vm_config {
public:
  /// Parses; `invalid` names the line and what would be right. `origin` is the file's name in it.
  static result<vm_config> parse(std::string text, std::string_view origin = "config");

  /// The text, byte for byte what was parsed but for `set` and `remove`.
  std::string text() const;

  /// Value of a key of the VM itself (never of a section); nullopt when absent.
  std::optional<std::string> get(std::string_view key) const;
  /// Replaces the value in its place, or appends the line before the first section.
  void set(std::string_view key, std::string_view value);
  void remove(std::string_view key);

  // Typed readers of the keys that drover knows. Defaults are Proxmox's; values were checked by
  // `parse`, so none of these can fail.
  std::string name() const;
  std::uint64_t memory_bytes() const; ///< `memory: MiB`, default 512; `args: -m N[kMG]` wins
  std::uint32_t cpus() const;         ///< sockets x cores
  std::uint32_t sockets() const;
  std::uint32_t cores() const;
  std::string machine() const; ///< the type without its options; empty = the newest pc
  /// The whole value, with Proxmox's options; empty = kvm64 under kvm, qemu64 under tcg.
  std::string cpu() const;
  std::string bios() const; ///< seabios, ovmf
  std::string lock() const; ///< empty = none
  std::vector<std::string> tags() const;
  bool onboot() const;
  bool kvm() const; ///< `kvm: 0` asks for emulation
  bool agent() const;
  std::string vga() const; ///< the type without its options
  /// `args:` split as a shell splits words (quotes, no expansion).
  std::vector<std::string> args() const;
  /// smbios1's uuid; empty = none.
  std::string uuid() const;
  /// `migrate_downtime` (seconds, may be a fraction) in ms; 0 = not set.
  std::uint32_t migrate_downtime_ms() const;
  /// `migrate_speed` (MB/s) in bytes per second; 0 = not set.
  std::uint64_t migrate_speed_bytes_per_s() const;
  /// ideN, sataN, scsiN and virtioN by bus and number; not efidisk0, tpmstate0 and unusedN.
  std::vector<disk_entry> disks() const;
  std::vector<net_entry> nets() const;
  /// Keys whose device ties the VM to its host: hostpciN, usbN (not spice), serialN (not socket),
  /// parallelN, virtiofsN, ivshmem.
  std::vector<std::string> host_devices() const;

private:
  struct line {
    std::string text; ///< without its newline
    std::string key;  ///< empty for a comment, an empty line or a section
    std::string value;
  };
  std::vector<line> lines_; ///< the VM itself
  std::string sections_;    ///< from the first `[` line on, untouched
  bool ends_with_newline_ = true;
};

} // namespace drover
