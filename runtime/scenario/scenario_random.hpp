// What a seed draws: faults, and the shape of a swarm's cluster. Rule: a plain value; the simulated
// world draws.
#pragma once

#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// Faults that can be drawn; each has the word and the effect of the action of its name.
enum class fault_kind : std::uint8_t {
  restart_controller,
  kill_target_qemu,
  kill_source_qemu,
  kill_agent,
  kill_node, ///< and `boot_node` some time later
  slow_node,
  cut_link,
  half_open_link,
  slow_link,
  duplicate_lines,
  lag,
  hang_store,
  lose_quorum,
  change_membership,
  cut_store,
  roll_back_store, ///< `cut_store` whose heal takes back what was acknowledged
  remove_lock,
  fail_writes,
  fail_marks,
  refuse_receive,
  lose_acknowledgement,
  cut_streams,
  stall_streams,
  cancel,
  clock_jump,
};

const std::vector<fault_kind>& all_fault_kinds();
std::string_view to_string(fault_kind kind);
std::optional<fault_kind> fault_kind_from_string(std::string_view text);

struct count_range {
  std::uint32_t least = 1;
  std::uint32_t most = 1;
  bool operator==(const count_range&) const = default;
};

struct scenario_random {
  std::map<fault_kind, std::uint32_t> faults; ///< weights above 0; empty = no faults
  milliseconds every{1000};                   ///< mean gap between two faults
  milliseconds until{10000};                  ///< the last fault; then calm
  std::uint32_t evacuations = 0;              ///< begun at drawn times before `until`

  /// n1, n2, ...; absent = the cluster's nodes as they are written.
  std::optional<count_range> nodes;
  /// 100, 101, ..., each on a drawn node; absent = the VMs as they are written.
  std::optional<count_range> vms;
  std::vector<std::uint64_t> memory_bytes; ///< of a drawn VM, one of these
  /// One of these for all of a seed's actions; empty = as each action says.
  std::vector<policy> policies;
  bool clocks = false; ///< each host's clocks are drawn as well
};

} // namespace drover
