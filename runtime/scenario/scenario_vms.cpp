#include "runtime/cluster/checked_values.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <algorithm>
#include <cctype>
#include <limits>

namespace drover {
namespace {

constexpr std::uint32_t memory_kib_max = 2 * 1024 * 1024;
constexpr std::uint32_t number_max = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t sector_bytes = 512;
// Proxmox VE's range.
constexpr std::uint32_t vm_id_min = 100;
constexpr std::uint32_t vm_id_max = 999999999;
constexpr std::uint32_t vms_max = 10000;

void read_disk(wire::object_reader& from, scenario_vms& group) {
  if (!from.look("disk"))
    return;
  auto disk = from.object("disk");
  group.disk_bytes = read_byte_size(disk, "size");
  group.settings.disk_step_beats = read_number(disk, "step_beats", 10, 1, number_max);
  group.settings.disk_ring_sectors = read_number(disk, "ring_sectors", 64, 1, number_max);
  if (group.disk_bytes % sector_bytes != 0 || group.disk_bytes == 0)
    disk.refuse("size", "expected a multiple of 512 bytes");
  if (group.settings.disk_ring_sectors > group.disk_bytes / sector_bytes)
    disk.refuse("ring_sectors", "does not fit onto the disk");
  disk.refuse_unknown();
}

void read_load(wire::object_reader& from, scenario_vms& group) {
  auto& s = group.settings;
  const auto memory_kib = read_byte_size(from, "memory", 2ULL << 20U) / 1024;
  if (memory_kib == 0 || memory_kib > memory_kib_max)
    from.refuse("memory", "expected 1K to 2G");
  s.memory_kib = static_cast<std::uint32_t>(std::min<std::uint64_t>(memory_kib, memory_kib_max));
  s.hz = read_number(from, "hz", s.hz, 1, 10000);
  s.pages_per_beat = read_number(from, "pages_per_beat", s.pages_per_beat, 0, number_max);
  s.working_set_pages = read_number(from, "working_set", s.working_set_pages, 1, number_max);
  group.migrate_speed_mb = read_number(from, "migrate_speed_mb", 0, 0, 1000000);
  group.migrate_downtime_ms = read_number(from, "migrate_downtime_ms", 0, 0, 1000000);
  group.paused = from.optional("paused", false);
}

/// Proxmox VE's rule; a tag ends at a semicolon, comma or space.
bool is_tag(const std::string& text) {
  const auto in_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  return !text.empty() && in_word(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return in_word(c) || c == '-' || c == '+' || c == '.';
         });
}

void read_labels(wire::object_reader& from, scenario_vms& group) {
  group.onboot = from.optional("onboot", false);
  group.tags = from.optional("tags", std::vector<std::string>{});
  for (const auto& tag : group.tags)
    if (!is_tag(tag))
      from.refuse(
        "tags", "expected words of letters, digits, _, -, + and ., found \"" + tag + "\"");
}

void check_numbers(
  wire::object_reader& from, const scenario_vms& group, const scenario_file& scenario) {
  if (group.first.value + group.count - 1 > vm_id_max)
    from.refuse("count", "goes past the last VM number, 999999999");
  for (const auto& other : scenario.vms)
    if (other.holds(group.first) || group.holds(other.first))
      from.refuse(
        "first",
        "VM " + to_string(std::max(group.first, other.first)) + " is in an earlier group already");
}

} // namespace

void read_scenario_vms(wire::object_reader& root, scenario_file& scenario) {
  const bool drawn = scenario.random && scenario.random->vms;
  if (drawn && root.look("vms"))
    root.refuse("vms", "the VMs are drawn (/random/vms), so they cannot be written too");
  std::uint32_t total = 0;
  root.each("vms", [&](wire::object_reader& from, std::size_t) {
    scenario_vms group;
    group.count = read_number(from, "count", 1, 1, vms_max);
    group.first = vm_id{read_number(from, "first", vm_id_min, vm_id_min, vm_id_max)};
    group.node = read_known_node(from, "node", scenario);
    read_load(from, group);
    read_disk(from, group);
    read_labels(from, group);
    check_numbers(from, group, scenario);
    total += group.count;
    if (total > vms_max)
      from.refuse("count", "makes more than " + std::to_string(vms_max) + " VMs in all");
    const auto config = beacon_config({"vm" + to_string(group.first), group.settings, {}, {}, {}});
    if (!config)
      from.refuse("", config.error().what);
    scenario.vms.push_back(group);
  });
  if (root.good() && scenario.vms.empty() && !drawn)
    root.refuse("vms", "a scenario needs at least one VM");
}

} // namespace drover
