#include "runtime/scenario/scenario_file.hpp"

#include "runtime/cluster/checked_values.hpp"
#include "runtime/cluster/text_file.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace drover {
namespace {

constexpr std::size_t why_chars_min = 20;
constexpr std::uint32_t deadline_s_max = 24 * 3600;
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

std::string stem(const std::string& origin) {
  return std::filesystem::path(origin).stem().string();
}

} // namespace

void read_scenario_cluster(wire::object_reader& root, scenario_file& scenario) {
  auto cluster = root.object("cluster");
  scenario.limits = read_cluster_limits(cluster);
  scenario.accel = read_word(cluster, "accel", scenario.accel, {"auto", "tcg", "kvm"});
  cluster.each_member("nodes", [&](wire::object_reader& from, const std::string& name) {
    if (const auto why_not = node_name_objection(name); !why_not.empty())
      from.refuse("", why_not);
    scenario_node node;
    node.memory_bytes = read_byte_size(from, "memory");
    node.reserve_bytes = read_byte_size(from, "reserve", 0);
    if (node.memory_bytes <= node.reserve_bytes)
      from.refuse("memory", "leaves no memory for guests");
    node.limits = read_node_limits(from, scenario.limits);
    scenario.nodes.emplace(node_id{name}, node);
  });
  if (root.good() && scenario.nodes.empty())
    cluster.refuse("nodes", "a cluster needs at least one node");
  cluster.refuse_unknown();
}

void read_scenario_vms(wire::object_reader& root, scenario_file& scenario) {
  std::uint32_t total = 0;
  root.each("vms", [&](wire::object_reader& from, std::size_t) {
    scenario_vms group;
    group.count = read_number(from, "count", 1, 1, vms_max);
    group.first = vm_id{read_number(from, "first", vm_id_min, vm_id_min, vm_id_max)};
    group.node = read_known_node(from, "node", scenario);
    read_load(from, group);
    read_disk(from, group);
    const vm_id last{group.first.value + group.count - 1};
    if (last.value > vm_id_max)
      from.refuse("count", "goes past the last VM number, 999999999");
    for (const auto& other : scenario.vms)
      if (other.holds(group.first) || group.holds(other.first))
        from.refuse(
          "first", "VM " + to_string(std::max(group.first, other.first)) +
                     " is in an earlier group already");
    total += group.count;
    if (total > vms_max)
      from.refuse("count", "makes more than " + std::to_string(vms_max) + " VMs in all");
    const auto config = beacon_config({"vm" + to_string(group.first), group.settings, {}, {}, {}});
    if (!config)
      from.refuse("", config.error().what);
    scenario.vms.push_back(group);
  });
  if (root.good() && scenario.vms.empty())
    root.refuse("vms", "a scenario needs at least one VM");
}

result<scenario_file> parse_scenario_file(std::string_view text, const std::string& origin) {
  const auto document = wire::parse_json(text);
  if (!document)
    return tl::unexpected<error>(in_file(document.error(), origin));
  wire::object_reader root(*document, "");
  scenario_file scenario;
  scenario.name = stem(origin);
  scenario.path = origin;
  scenario.worlds = {world_kind::sim, world_kind::local};
  scenario.why = root.required<std::string>("why");
  if (root.good() && scenario.why.size() < why_chars_min)
    root.refuse("why", "expected one to three sentences on what the scenario shows");
  scenario.deadline_s = read_number(root, "deadline_s", scenario.deadline_s, 1, deadline_s_max);
  read_scenario_cluster(root, scenario);
  // What follows names nodes and VMs; without them it would only be the echo of an earlier error.
  if (root.good())
    read_scenario_vms(root, scenario);
  if (root.good())
    read_scenario_actions(root, scenario);
  if (root.good())
    read_scenario_expect(root, scenario);
  if (const auto ok = root.finish(); !ok)
    return tl::unexpected<error>(in_file(ok.error(), origin));
  return scenario;
}

result<scenario_file> read_scenario_file(const std::filesystem::path& path) {
  const auto file = read_text_file(path);
  if (!file)
    return tl::unexpected<error>(file.error());
  return parse_scenario_file(file->text, path.string());
}

} // namespace drover
