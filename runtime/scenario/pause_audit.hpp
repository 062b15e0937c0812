// Counts what the store did to a VM while it was paused and besides, and the races, from the trace.
// Rule: pure; a pause is from the source's STOP to the target's RESUME, and a call that overlaps it
// counts. A call for the cluster's lock is about no VM; it counts in the pauses of VMs that moved
// under the policy `lock` and only there, because other locks have nothing to do with a handover.
#pragma once

#include "runtime/base/trace.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace drover {

class pause_audit final : public trace_sink {
public:
  void take(const trace_event& event) override;

  struct intrusion {
    vm_id vm;
    node_id node;
    std::string operation;
  };
  /// Every store operation on a VM inside one of its pauses; of locks: with VM 0.
  std::vector<intrusion> store_operations_in_pauses() const;
  /// How many others there were on the VMs that had a pause.
  std::uint64_t store_operations_outside_pauses() const;
  /// Resumes that came before the target's own view showed it as the owner.
  std::uint32_t races() const;
  /// VMs whose target refused to let them run because of that.
  std::set<vm_id> refused() const;

private:
  struct interval {
    wall_time begin;
    wall_time end;
    node_id source;
    node_id target;
  };

  using node_pauses = std::map<node_id, std::vector<interval>>;

  /// At each node, the pauses of VMs that moved under `lock`.
  node_pauses pauses_by_lock() const;
  bool is_in_pause(const store_operation& operation, const node_pauses& by_lock) const;

  mutable std::mutex mutex_;
  std::map<vm_id, pause_mark> stopped_;
  std::multimap<vm_id, interval> pauses_;
  std::deque<store_operation> operations_;
  std::map<vm_id, policy> policies_; ///< by which a VM moved last
  std::uint32_t races_ = 0;
  std::set<vm_id> refused_;
};

} // namespace drover
