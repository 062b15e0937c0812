// Driver of the store port in virtual time: one totally ordered log, a view per node that lags by
// its luck, and everything that was measured on a real replicated file system. Rule: it promises
// exactly what store.hpp promises, and breaks what that does not promise as often as it is told to.
//
//   write   --write time--> ordered, applied here, answered     --lag of each node--> seen there
//   read    --read time---> answered from this node's view
//   barrier = a write of an own file: the view has caught up when it is answered
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/event_queue.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/store/store.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace drover {

struct sim_store_settings {
  /// Medians of a real pmxcfs on an idle machine.
  delay_range read{std::chrono::microseconds{40}, std::chrono::microseconds{200}, 0, {}};
  delay_range write{std::chrono::microseconds{400}, std::chrono::microseconds{1500}, 0, {}};
  /// How much later than the writer a node sees a write.
  delay_range lag;
  milliseconds lock_expiry{120'000};
  /// A call that is not answered by then is answered `timeout`; what it writes may still come.
  milliseconds call_deadline{10'000};
  /// How many calls a node makes side by side, the others wait: 1 as the real driver, which has one
  /// thread for them; more, and answers come in another order than the calls.
  std::uint32_t calls_at_once = 1;
};

/// What becomes of the writes that were acknowledged while a node was cut off.
enum class heal_outcome : std::uint8_t {
  kept,
  /// The node's replica wins: they are undone, everywhere, although they were acknowledged.
  rolled_back,
};

class sim_store_cluster {
public:
  sim_store_cluster(
    event_queue& queue, luck chance, sim_store_settings settings,
    const std::vector<node_id>& nodes);
  ~sim_store_cluster();
  sim_store_cluster(const sim_store_cluster&) = delete;
  sim_store_cluster& operator=(const sim_store_cluster&) = delete;

  /// One agent's access. When it is destroyed its answers come no more, its writes go on.
  std::unique_ptr<store> open(
    const node_id& node, std::function<void(const store_operation&)> observe);

  // -- what is done to it
  // --------------------------------------------------------------------------
  /// From now on writes become visible at `node` with this lag.
  void set_lag(const node_id& node, const delay_range& lag);
  /// Calls of every node that are under way or begin now are answered `how_long` later: a member
  /// died, and the ring forms anew.
  void hang(nanoseconds how_long);
  /// Without quorum writes and locks are refused at once, barriers too; reads go on.
  void set_quorum_lost(const node_id& node, nanoseconds how_long);
  /// For so long every write is answered with an error; so many of a million are applied later.
  void change_membership(nanoseconds how_long, std::uint32_t applied_per_million);
  /// The node keeps its view and has no quorum until `heal`.
  void cut_off(const node_id& node);
  void heal(const node_id& node, heal_outcome outcome);
  /// Somebody removes a lock that is not his.
  /// `taken_by`: who has it then; empty = nobody.
  void remove_lock(const std::string& name, const std::string& taken_by = {});
  /// The next `count` writes of the node fail: its disk is full.
  void fail_writes(const node_id& node, std::uint32_t count);

  // -- the truth, for checkers: the newest state, whatever any view shows -------------------------
  std::optional<node_id> owner(vm_id vm) const;
  std::map<vm_id, node_id> places() const;
  /// Empty when there is none.
  std::string config(vm_id vm) const;
  std::optional<handover_record> record(vm_id vm) const;
  std::vector<store_lock> locks() const;
  /// What the node's view shows now.
  std::optional<node_id> seen_owner(const node_id& node, vm_id vm) const;
  /// Ordered writes so far.
  std::uint64_t writes() const;
  /// Puts a VM there before the world begins, seen by all.
  void put_config(vm_id vm, const node_id& node, std::string text);

  /// Told when a node's view begins to show a moved config; set before the first write or never.
  std::function<void(const view_changed&)> on_view_changed;

private:
  struct parts;
  std::shared_ptr<parts> parts_;
};

} // namespace drover
