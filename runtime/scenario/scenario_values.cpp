#include "runtime/scenario/scenario_file.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace drover {
namespace {

constexpr std::uint64_t page_bytes = 4096;

const policy* policy_of(const action::any& what) {
  if (const auto* evacuate = std::get_if<action::evacuate>(&what))
    return &evacuate->how;
  if (const auto* migrate = std::get_if<action::migrate>(&what))
    return &migrate->how;
  return nullptr;
}

} // namespace

/// A lag needs a store that can have one.
bool is_lagging(const scenario_file& scenario) {
  const auto lags = [](const delay_range& lag) { return lag != delay_range{}; };
  return scenario.store.lagging || lags(scenario.store.lag) ||
         std::any_of(scenario.nodes.begin(), scenario.nodes.end(), [&](const auto& node) {
           return node.second.store_lag && lags(*node.second.store_lag);
         });
}

bool has_mortal_controllers(const scenario_file& scenario) {
  return std::any_of(scenario.actions.begin(), scenario.actions.end(), [](const auto& a) {
    return action::kills_controller(a.what) || std::holds_alternative<action::recover>(a.what);
  });
}

std::uint64_t scenario_vms::dirty_bytes_per_s() const {
  return std::uint64_t{settings.hz} * settings.pages_per_beat * page_bytes;
}

std::uint64_t scenario_vms::working_set_bytes() const {
  return settings.working_set_pages * page_bytes;
}

std::uint64_t scenario_vms::memory_bytes() const { return beacon_memory_kib(settings) * 1024; }

std::string config_lines(const scenario_vms& group) {
  std::string text;
  if (group.migrate_speed_mb > 0)
    text += fmt::format("migrate_speed: {}\n", group.migrate_speed_mb);
  if (group.migrate_downtime_ms > 0)
    text += fmt::format("migrate_downtime: {}\n", group.migrate_downtime_ms / 1000.0);
  if (group.onboot)
    text += "onboot: 1\n";
  if (!group.tags.empty())
    text += fmt::format("tags: {}\n", fmt::join(group.tags, ";"));
  return text;
}

const scenario_expect& scenario_file::expect_for(std::optional<policy> how) const {
  const auto own = how ? expect_of.find(*how) : expect_of.end();
  return own == expect_of.end() ? expect : own->second;
}

const delay_range& scenario_file::lag_of(const node_id& node) const {
  const auto own = nodes.find(node);
  return own != nodes.end() && own->second.store_lag ? *own->second.store_lag : store.lag;
}

const delay_range& scenario_file::latency_of(const node_id& node) const {
  const auto own = nodes.find(node);
  return own != nodes.end() && own->second.link_latency ? *own->second.link_latency : link_latency;
}

std::optional<policy> only_policy(const scenario_file& scenario) {
  std::optional<policy> one;
  for (const auto& a : scenario.actions)
    if (const auto* how = policy_of(a.what)) {
      if (one && *one != *how)
        return std::nullopt;
      one = *how;
    }
  return one;
}

scenario_file with_policy(scenario_file scenario, policy how) {
  for (auto& a : scenario.actions) {
    if (auto* evacuate = std::get_if<action::evacuate>(&a.what))
      evacuate->how = how;
    if (auto* migrate = std::get_if<action::migrate>(&a.what))
      migrate->how = how;
  }
  if (scenario.random)
    scenario.random->policies = {how};
  scenario.expect = scenario.expect_for(how);
  scenario.expect_of.clear();
  return scenario;
}

scenario_file as_played(scenario_file scenario, std::optional<policy> how) {
  if (how)
    return with_policy(std::move(scenario), *how);
  scenario.expect = scenario.expect_for(only_policy(scenario));
  return scenario;
}

scenario_file with_lag(scenario_file scenario, nanoseconds lag) {
  scenario.store.lag = exactly(lag);
  // Also without a lag, so that the rows of a comparison differ in the lag alone.
  scenario.store.lagging = true;
  for (auto& [name, node] : scenario.nodes)
    node.store_lag.reset();
  return scenario;
}

std::string objection_to(const scenario_file& scenario, world_kind world) {
  if (scenario.worlds.contains(world))
    return {};
  const auto file = scenario.path.string();
  if (world == world_kind::local && !scenario.sim_only.empty())
    return fmt::format("{}: {}: only the simulated world can do this", file, scenario.sim_only);
  if (world == world_kind::sim && !scenario.local_only.empty())
    return fmt::format("{}: {}: only the local world can do this", file, scenario.local_only);
  return fmt::format(
    "{}: /worlds: it is not meant to be played in the {} world", file, to_string(world));
}

cluster_file local_cluster(const scenario_file& scenario, const std::filesystem::path& room) {
  cluster_file cluster;
  cluster.name = scenario.name;
  cluster.store_path = room / "store";
  cluster.store = is_lagging(scenario) ? store_kind::lagging : store_kind::pmxcfs;
  cluster.store_lag = scenario.store.lag;
  cluster.limits = scenario.limits;
  cluster.accel = scenario.accel;
  cluster.stream = scenario.stream;
  cluster.channels = scenario.channels;
  cluster.storages.emplace("disks", cluster_storage{room / "disks", true});
  for (const auto& [name, of] : scenario.nodes) {
    cluster_node node;
    node.node = name;
    node.run_dir = room / name.value;
    node.memory_bytes = of.memory_bytes;
    node.reserve_bytes = of.reserve_bytes;
    node.limits = of.limits;
    node.store_lag = of.store_lag.value_or(scenario.store.lag);
    node.bandwidth_mib_s = of.bandwidth_mib_s;
    cluster.nodes.emplace(name, std::move(node));
  }
  return cluster;
}

} // namespace drover
