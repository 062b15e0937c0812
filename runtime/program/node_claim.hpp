// Who may empty a node: one process of this machine, by a lock in the state directory, and one
// controller of the cluster, by the node's lock in its store. Rule: both are taken before anything
// else is asked, in this order, so that of two who start at once one goes on and the other learns
// who that is.
#pragma once

#include "runtime/program/interrupts.hpp"
#include "runtime/program/options.hpp"
#include "runtime/program/process_lock.hpp"
#include "runtime/program/workplace.hpp"

#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace drover {

/// The lock of this machine. `held` is absent where the state directory cannot be used.
struct local_claim {
  std::optional<process_lock> held;
  /// Puts the run's id into the lock, so that others find its socket.
  void name(const std::string& id);
};

/// An exit code: another process has it, and `follow` has followed that run to its end; where that
/// returns nullopt, the other one is gone and this one tries again.
std::variant<local_claim, int> claim_locally(
  const options& o, const node_id& node, interrupts& signals,
  const std::function<std::optional<int>(const std::string& id)>& follow);

/// The node's lock in the store, through its agent; the error names who has it.
result<done> claim_in_cluster(workplace& w, const node_id& node, const std::string& reason);

/// "evacuation since 2026-11-23 08:36:46 UTC".
std::string claim_reason(wall_time now);

} // namespace drover
