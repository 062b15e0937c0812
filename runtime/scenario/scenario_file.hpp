// A scenario: a throw-away cluster, its VMs, what is done to it and what must come of it. Rule:
// parsed strictly and checked as a whole before anything is started; then a plain value. The format
// is told field by field in scenarios/README.md.
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/host_clocks.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/guest/beacon_args.hpp"
#include "runtime/scenario/scenario_action.hpp"
#include "runtime/scenario/scenario_expect.hpp"
#include "runtime/scenario/scenario_random.hpp"
#include "runtime/scenario/world_kind.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// How a host with an sshd of its own takes drover's login.
enum class host_login : std::uint8_t {
  usual,
  wrong_key,        ///< drover's key is not among those that may log in
  changed_host_key, ///< known_hosts knows the host by another key
};

/// A host's clocks; simulated world only.
struct scenario_clock {
  host_clock shows;
  /// Its agent hears so much later of what a QEMU has stamped.
  milliseconds heard_after{0};
};

struct scenario_node {
  std::uint64_t memory_bytes = 0;
  std::uint64_t reserve_bytes = 0;
  node_limits limits;
  host_login login = host_login::usual;    ///< local world over ssh only
  std::optional<delay_range> store_lag;    ///< the cluster's where absent
  std::optional<delay_range> link_latency; ///< the cluster's where absent; simulated world only
  std::uint32_t bandwidth_mib_s = 0;       ///< of the streams that leave it; 0 = unlimited
  scenario_clock clock;
};

struct scenario_store {
  /// How long until a node's view shows what another node wrote.
  delay_range lag;
  /// How long a write takes; simulated world only. Measured on three idle hosts: 0.7 to 7 ms.
  delay_range write{std::chrono::microseconds{700}, std::chrono::milliseconds{7}, 0, {}};
  /// A lock that nobody renews is free after this time.
  milliseconds lock_expiry{120000};
  /// In the local world the views lag even where every lag is 0.
  bool lagging = false;
};

/// A run of beacon VMs with consecutive numbers.
struct scenario_vms {
  vm_id first;
  std::uint32_t count = 1;
  node_id node;
  beacon_settings settings;
  std::uint32_t migrate_speed_mb = 0;    ///< `migrate_speed:` of the config; 0 = no line
  std::uint32_t migrate_downtime_ms = 0; ///< `migrate_downtime:` of the config; 0 = no line
  bool paused = false;                   ///< paused before the first action, and to stay so
  bool onboot = false;                   ///< `onboot:` of the config
  std::vector<std::string> tags;         ///< `tags:` of the config
  std::uint64_t disk_bytes = 0;          ///< on the cluster's shared storage; 0 = no disk

  bool holds(vm_id vm) const { return vm.value >= first.value && vm.value - first.value < count; }
  /// Load as the simulated hypervisor takes it.
  std::uint64_t dirty_bytes_per_s() const;
  std::uint64_t working_set_bytes() const;
  std::uint64_t memory_bytes() const;
};

/// `key: value` lines for what a group says beyond its beacon: speed, downtime, onboot, tags.
std::string config_lines(const scenario_vms& group);

struct scenario_file {
  std::string name;           ///< the file's, without folder and ending
  std::filesystem::path path; ///< as it was given
  std::string why;
  std::uint32_t deadline_s = 120; ///< of the whole run
  /// Of more seeds than this a campaign plays the first ones only; 0 = all of them.
  std::uint32_t seeds_max = 0;
  /// Played first with so many VMs, to tell what one costs in both; 0 = not.
  std::uint32_t compare_vms = 0;
  std::string accel = "tcg";
  std::map<node_id, scenario_node> nodes; ///< empty where `random` draws them
  cluster_limits limits;
  scenario_store store;
  /// One way between controller and node; simulated world only.
  delay_range link_latency{std::chrono::microseconds{100}, std::chrono::microseconds{300}, 0, {}};
  /// Of each node's memory streams together; simulated world only.
  std::uint32_t stream_bandwidth_mb = 1000;
  stream_kind stream = stream_kind::tls;
  std::uint32_t channels = 1;
  std::set<world_kind> worlds; ///< in which it can be played; never empty
  /// Path of the first field that only the simulated world knows; empty = there is none.
  std::string sim_only;
  /// Path of the first field that only the local world knows; empty = there is none.
  std::string local_only;
  /// How the local world reaches its nodes.
  link_kind link = link_kind::process;
  std::vector<scenario_vms> vms; ///< empty where `random` draws them
  std::vector<scenario_action> actions;
  std::optional<scenario_random> random;
  /// A seed has drawn a part of it.
  bool is_drawn = false;
  /// In the calm the operator evacuates again until nothing is left to move.
  bool repeat_until_settled = false;
  scenario_expect expect;
  /// `expect` with what the file says otherwise for a policy.
  std::map<policy, scenario_expect> expect_of;

  const scenario_expect& expect_for(std::optional<policy> how) const;
  const delay_range& lag_of(const node_id& node) const;
  const delay_range& latency_of(const node_id& node) const;
};

/// The policy of all of a scenario's commands; nullopt where they differ or there are none.
std::optional<policy> only_policy(const scenario_file& scenario);

/// The scenario with this policy in every command, and with its expectations.
scenario_file with_policy(scenario_file scenario, policy how);
/// The same where a policy is given, else with the expectations of the only one that it has.
scenario_file as_played(scenario_file scenario, std::optional<policy> how);
/// The scenario with this lag at every node, for a comparison.
scenario_file with_lag(scenario_file scenario, nanoseconds lag);

/// Whether the local world's views are made to lag.
bool is_lagging(const scenario_file& scenario);
/// Whether a controller is killed or recovers, so that each is a process of its own.
bool has_mortal_controllers(const scenario_file& scenario);

/// How many VMs are written; none where they are drawn.
std::uint32_t vms_of(const scenario_file& scenario);
/// The scenario with its first VMs alone: the evacuations of the nodes that they are on, the nodes
/// that these name, and of the expectations the exit code. Precondition: see `compare_vms`.
scenario_file with_first_vms(const scenario_file& scenario, std::uint32_t vms);

/// Why a scenario cannot be played there: one sentence that names the field; empty = it can.
std::string objection_to(const scenario_file& scenario, world_kind world);

/// `origin` names the file in errors: "demo.json: /vms/0/node: expected ...".
result<scenario_file> parse_scenario_file(std::string_view text, const std::string& origin);

result<scenario_file> read_scenario_file(const std::filesystem::path& path);

/// The scenario's cluster as `room` holds it: room/store, room/<node>, room/disks (shared).
cluster_file local_cluster(const scenario_file& scenario, const std::filesystem::path& room);

} // namespace drover
