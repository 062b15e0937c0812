// What makes a VM a beacon: its config in Proxmox's format. Rule: pure; the parameters reach the
// guest as dwords in RAM (memory map in beacon.S), so they and its state travel with a migration.
#pragma once

#include "runtime/base/error.hpp"

#include <cstdint>
#include <string>

namespace drover {

/// The beacon's parameters. The defaults beat 20 times a second and dirty 1 page each time.
struct beacon_settings {
  std::uint32_t hz = 20;                ///< beats per second, 1 to 10000
  std::uint32_t pages_per_beat = 1;     ///< 4 KiB pages dirtied in each beat
  std::uint32_t working_set_pages = 64; ///< pages that are dirtied round and round
  std::uint32_t disk_step_beats = 0;    ///< a disk step every so many beats; 0 = off
  std::uint32_t disk_ring_sectors = 0;  ///< 512-byte sectors written round and round, from sector 0
  std::uint32_t memory_kib = 2048;      ///< at least; see beacon_memory_kib
  bool operator==(const beacon_settings&) const = default;
};

/// One beacon VM.
struct beacon_vm {
  std::string name;
  beacon_settings settings;
  /// Unix socket that the VM's QEMUs connect to; somebody must listen there (beacon_watcher) before
  /// one starts. Empty: the beats go nowhere.
  std::string observer_socket;
  /// The firmware image; empty = the one that was built with this program.
  std::string image;
  /// Value of `ide0` (the disk ring's disk), e.g. "/srv/beacon.raw"; empty = no disk.
  std::string disk;
};

/// Path of the image that was built with this program.
std::string beacon_image_path();

/// RAM in KiB that a beacon with these settings gets: enough for `memory_kib` and the working set,
/// rounded up to N x 256 + 8.
///
/// The 8 KiB matter: under emulation, QEMU before 9.0 clears the dirty bits of RAM blocks whose
/// size is a multiple of 64 pages (256 KiB) without telling the emulator, so that later writes to
/// these pages are not sent ("physmem: Fix migration dirty bitmap coherency with TCG memory
/// access"). A guest then resumes with pages some beats old.
std::uint64_t beacon_memory_kib(const beacon_settings& settings);

/// The VM's config; `invalid` names the field that is out of its bounds.
result<std::string> beacon_config(const beacon_vm& vm);

} // namespace drover
