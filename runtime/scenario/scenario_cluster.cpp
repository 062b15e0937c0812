#include "runtime/base/clock_estimate.hpp"
#include "runtime/cluster/checked_values.hpp"
#include "runtime/cluster/delay_text.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <nlohmann/json.hpp>

namespace drover {
namespace {

constexpr std::uint32_t lock_expiry_ms_max = 24 * 3600 * 1000;
constexpr std::uint32_t bandwidth_mb_max = 1000000;
constexpr std::uint32_t up_s_max = 10 * 365 * 24 * 3600;
constexpr std::uint32_t heard_ms_max = 1000;

void read_store(wire::object_reader& cluster, scenario_file& scenario) {
  if (!cluster.look("store"))
    return;
  auto from = cluster.object("store");
  auto& store = scenario.store;
  store.lagging = read_word(from, "kind", "plain", {"plain", "lagging"}) == "lagging";
  store.lag = read_delay(from, "lag", store.lag);
  if (from.look("write"))
    mark_sim_only(scenario, from, "write");
  store.write = read_delay(from, "write", store.write);
  if (from.look("lock_expiry_ms"))
    mark_sim_only(scenario, from, "lock_expiry_ms");
  store.lock_expiry = milliseconds{read_number(
    from, "lock_expiry_ms", static_cast<std::uint32_t>(store.lock_expiry.count()), 1,
    lock_expiry_ms_max)};
  from.refuse_unknown();
}

void read_link(wire::object_reader& cluster, scenario_file& scenario) {
  const auto* field = cluster.look("link");
  if (field == nullptr)
    return;
  if (field->is_string()) {
    if (read_word(cluster, "link", "process", {"process", "ssh"}) != "ssh")
      return;
    scenario.link = link_kind::ssh;
    scenario.local_only = cluster.path() + "/link";
    return;
  }
  mark_sim_only(scenario, cluster, "link");
  auto from = cluster.object("link");
  scenario.link_latency = read_delay(from, "latency", scenario.link_latency);
  from.refuse_unknown();
}

void read_stream(wire::object_reader& cluster, scenario_file& scenario) {
  if (!cluster.look("stream"))
    return;
  auto from = cluster.object("stream");
  if (from.look("bandwidth_mb"))
    mark_sim_only(scenario, from, "bandwidth_mb");
  scenario.stream = stream_kind_from_string(read_word(from, "kind", "tls", {"tls", "plain"}))
                      .value_or(stream_kind::tls);
  scenario.channels = read_number(from, "channels", scenario.channels, 1, stream_channels_max);
  scenario.stream_bandwidth_mb =
    read_number(from, "bandwidth_mb", scenario.stream_bandwidth_mb, 1, bandwidth_mb_max);
  from.refuse_unknown();
}

host_login read_login(wire::object_reader& from, const scenario_file& scenario) {
  const auto word = read_word(from, "login", "usual", {"usual", "wrong_key", "changed_host_key"});
  if (word != "usual" && scenario.link != link_kind::ssh)
    from.refuse("login", "only with /cluster/link \"ssh\" is there a login");
  return word == "wrong_key"          ? host_login::wrong_key
         : word == "changed_host_key" ? host_login::changed_host_key
                                      : host_login::usual;
}

/// Behind the controller's by less than drift_max_per_million, or before it.
std::int64_t read_drift(wire::object_reader& from) {
  const auto drift = from.optional<std::int64_t>("drift_per_million", 0);
  if (from.good() && (drift >= drift_max_per_million || drift <= -drift_max_per_million))
    from.refuse("drift_per_million", "expected -99 to 99, as far as crystals are apart");
  return drift;
}

scenario_clock read_clock(wire::object_reader& node, scenario_file& scenario) {
  mark_sim_only(scenario, node, "clock");
  auto from = node.object("clock");
  scenario_clock clock;
  clock.shows.ahead = read_signed_ms(from, "ahead_ms");
  clock.shows.drift_per_million = read_drift(from);
  clock.shows.up = std::chrono::seconds{read_number(from, "up_s", 0, 0, up_s_max)};
  clock.heard_after = milliseconds{read_number(from, "heard_after_ms", 0, 0, heard_ms_max)};
  from.refuse_unknown();
  return clock;
}

scenario_node read_node(wire::object_reader& from, scenario_file& scenario) {
  scenario_node node;
  node.memory_bytes = read_byte_size(from, "memory");
  node.reserve_bytes = read_byte_size(from, "reserve", 0);
  if (node.memory_bytes <= node.reserve_bytes)
    from.refuse("memory", "leaves no memory for guests");
  node.limits = read_node_limits(from, scenario.limits);
  node.login = read_login(from, scenario);
  node.bandwidth_mib_s = read_number(from, "bandwidth_mib_s", 0, 1, bandwidth_mb_max);
  if (from.look("store_lag"))
    node.store_lag = read_delay(from, "store_lag", {});
  if (from.look("link_latency")) {
    mark_sim_only(scenario, from, "link_latency");
    node.link_latency = read_delay(from, "link_latency", {});
  }
  if (from.look("clock"))
    node.clock = read_clock(from, scenario);
  return node;
}

} // namespace

void read_scenario_cluster(wire::object_reader& root, scenario_file& scenario) {
  auto cluster = root.object("cluster");
  scenario.limits = read_cluster_limits(cluster);
  scenario.accel = read_word(cluster, "accel", scenario.accel, {"auto", "tcg", "kvm"});
  read_store(cluster, scenario);
  read_link(cluster, scenario);
  read_stream(cluster, scenario);
  const bool drawn = scenario.random && scenario.random->nodes;
  if (drawn && cluster.look("nodes"))
    cluster.refuse("nodes", "the nodes are drawn (/random/nodes), so they cannot be written too");
  cluster.each_member("nodes", [&](wire::object_reader& from, const std::string& name) {
    if (const auto why_not = node_name_objection(name); !why_not.empty())
      from.refuse("", why_not);
    scenario.nodes.emplace(node_id{name}, read_node(from, scenario));
  });
  if (root.good() && scenario.nodes.empty() && !drawn)
    cluster.refuse("nodes", "a cluster needs at least one node");
  cluster.refuse_unknown();
}

} // namespace drover
