// What a scenario does: the operator's commands and the faults. Rule: plain values; each action
// says its word in the file and whether the local world can carry it out. What the words mean is
// told in scenarios/README.md.
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"
#include "runtime/scenario/event_condition.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <variant>

namespace drover {

namespace action {

// -- what the operator does ----------------------------------------------------------------------

struct evacuate {
  static constexpr const char* verb = "evacuate";
  static constexpr bool local = true;
  node_id node;
  std::set<node_id> targets; ///< empty = every other node
  policy how = policy::ticket;
  /// SIGKILL to the controller at this event of the evacuation; absent = it lives.
  std::optional<event_condition> killed_at;
  std::set<node_id> killed_agents; ///< whose agents die in the same moment
};

struct migrate {
  static constexpr const char* verb = "migrate";
  static constexpr bool local = true;
  vm_id vm;
  node_id target;
  policy how = policy::ticket;
};

/// What Ctrl-C does.
struct cancel {
  static constexpr const char* verb = "cancel";
  static constexpr bool local = true;
};

/// `drover recover`, by a controller of its own; it has to find everything at rest in the end.
struct recover {
  static constexpr const char* verb = "recover";
  static constexpr bool local = true;
};

/// The controller dies and a new one takes over what it finds.
struct restart_controller {
  static constexpr const char* verb = "restart_controller";
  static constexpr bool local = false;
};

// -- processes and hosts -------------------------------------------------------------------------

/// SIGKILL to the QEMU that receives this VM; nothing where none does.
struct kill_target_qemu {
  static constexpr const char* verb = "kill_target_qemu";
  static constexpr bool local = true;
  vm_id vm;
};

/// SIGKILL to the QEMU from which this VM leaves or left.
struct kill_source_qemu {
  static constexpr const char* verb = "kill_source_qemu";
  static constexpr bool local = true;
  vm_id vm;
};

/// SIGKILL to a node's agent; its QEMUs run on, and the link starts a new agent.
struct kill_agent {
  static constexpr const char* verb = "kill_agent";
  static constexpr bool local = true;
  node_id node;
};

/// The host dies with all that runs on it, and stays dead until `boot_node`.
struct kill_node {
  static constexpr const char* verb = "kill_node";
  static constexpr bool local = false;
  node_id node;
};

/// A dead host comes back, empty, with another boot id.
struct boot_node {
  static constexpr const char* verb = "boot_node";
  static constexpr bool local = false;
  node_id node;
};

/// Everything that the node's agent does takes so many times as long.
struct slow_node {
  static constexpr const char* verb = "slow_node";
  static constexpr bool local = false;
  node_id node;
  std::uint32_t times = 1;
  milliseconds span{0}; ///< 0 = to the end
};

// -- the link from the controller ----------------------------------------------------------------

/// Both sides learn that the link is gone, and it cannot be opened again for `span`.
struct cut_link {
  static constexpr const char* verb = "cut_link";
  static constexpr bool local = false;
  node_id node;
  milliseconds span{0};
};

/// Nothing arrives in either direction, and nobody is told.
struct half_open_link {
  static constexpr const char* verb = "half_open_link";
  static constexpr bool local = false;
  node_id node;
  milliseconds span{0};
};

struct slow_link {
  static constexpr const char* verb = "slow_link";
  static constexpr bool local = false;
  node_id node;
  delay_range latency;
  milliseconds span{0};
};

/// Lines come twice.
struct duplicate_lines {
  static constexpr const char* verb = "duplicate_lines";
  static constexpr bool local = false;
  node_id node;
  milliseconds span{0};
};

// -- the store -----------------------------------------------------------------------------------

/// The node's view lags by `delay` instead of its own.
struct lag {
  static constexpr const char* verb = "lag";
  static constexpr bool local = false;
  node_id node;
  delay_range delay;
  milliseconds span{0};
};

/// Every write, and every read that is not cached, hangs for everybody.
struct hang_store {
  static constexpr const char* verb = "hang_store";
  static constexpr bool local = false;
  milliseconds span{0};
};

/// Writes are refused at once, reads go on.
struct lose_quorum {
  static constexpr const char* verb = "lose_quorum";
  static constexpr bool local = false;
  std::optional<node_id> node; ///< nullopt = all of them
  milliseconds span{0};
};

/// Writes are refused, although this share of them is applied later.
struct change_membership {
  static constexpr const char* verb = "change_membership";
  static constexpr bool local = false;
  milliseconds span{0};
  std::uint32_t applied_percent = 0;
};

enum class store_heal : std::uint8_t {
  kept,        ///< what was acknowledged on the cut side stays
  rolled_back, ///< what was acknowledged on the cut side is undone
};

/// The node's replica is alone; at the end it heals.
struct cut_store {
  static constexpr const char* verb = "cut_store";
  static constexpr bool local = false;
  node_id node;
  milliseconds span{0};
  store_heal heal = store_heal::kept;
};

/// Somebody removes a lock that is held, and may take it.
struct remove_lock {
  static constexpr const char* verb = "remove_lock";
  static constexpr bool local = false;
  std::string lock;
  std::string taken_by{}; ///< empty = it is free then
};

/// The node's next `count` store writes fail: the store's disk is full.
struct fail_writes {
  static constexpr const char* verb = "fail_writes";
  static constexpr bool local = false;
  node_id node;
  std::uint32_t count = 1;
};

// -- the node's own disk, QEMU and streams -------------------------------------------------------

/// The node's next `count` run and void marks fail: its own disk is full.
struct fail_marks {
  static constexpr const char* verb = "fail_marks";
  static constexpr bool local = false;
  node_id node;
  std::uint32_t count = 1;
};

/// The node's next `count` receiving QEMUs do not start.
struct refuse_receive {
  static constexpr const char* verb = "refuse_receive";
  static constexpr bool local = false;
  node_id node;
  std::uint32_t count = 1;
};

/// The target has loaded all state, and the source never hears of it.
struct lose_acknowledgement {
  static constexpr const char* verb = "lose_acknowledgement";
  static constexpr bool local = false;
  vm_id vm;
};

/// Every memory stream of the node breaks.
struct cut_streams {
  static constexpr const char* verb = "cut_streams";
  static constexpr bool local = false;
  node_id node;
};

/// The node's memory streams carry nothing.
struct stall_streams {
  static constexpr const char* verb = "stall_streams";
  static constexpr bool local = false;
  node_id node;
  milliseconds span{0};
};

/// Whoever can reach the node's doors for streams comes to each of them.
struct strangers {
  static constexpr const char* verb = "strangers";
  static constexpr bool local = true;
  node_id node;
  milliseconds span{0};
};

// -- clocks --------------------------------------------------------------------------------------

/// Somebody sets the wall clock of the node.
struct clock_jump {
  static constexpr const char* verb = "clock_jump";
  static constexpr bool local = false;
  node_id node;
  milliseconds by{0}; ///< forward, or back
};

using any = std::variant<
  evacuate, migrate, cancel, recover, restart_controller, kill_target_qemu, kill_source_qemu,
  kill_agent, kill_node, boot_node, slow_node, cut_link, half_open_link, slow_link, duplicate_lines,
  lag, hang_store, lose_quorum, change_membership, cut_store, remove_lock, fail_writes, fail_marks,
  refuse_receive, lose_acknowledgement, cut_streams, stall_streams, strangers, clock_jump>;

/// The word that stands for it in a file.
inline std::string verb_of(const any& what) {
  return std::visit([](const auto& a) { return std::string(a.verb); }, what);
}

/// Whether the local world can do it; the simulated one can do all.
inline bool is_local(const any& what) {
  return std::visit([](const auto& a) { return a.local; }, what);
}

/// Whether a command moves VMs.
inline bool is_departure(const any& what) {
  return std::holds_alternative<evacuate>(what) || std::holds_alternative<migrate>(what);
}

/// Whether a controller is killed by it and leaves something.
inline bool kills_controller(const any& what) {
  const auto* e = std::get_if<evacuate>(&what);
  return e != nullptr && e->killed_at.has_value();
}

} // namespace action

/// One thing that is done, once: `after` the beginning (all VMs beat), or `after` the event.
struct scenario_action {
  std::optional<event_condition> when;
  milliseconds after{0};
  action::any what;
};

} // namespace drover
