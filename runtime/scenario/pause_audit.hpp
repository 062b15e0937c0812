// Counts what the store did to a VM while it was paused and besides, and the races, from the trace.
// Rule: pure; a pause is from the source's STOP to the target's RESUME, and a call that overlaps it
// counts.
#pragma once

#include "runtime/base/trace.hpp"

#include <cstdint>
#include <map>
#include <mutex>
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
  /// Every store operation on a VM inside one of its pauses.
  std::vector<intrusion> store_operations_in_pauses() const;
  /// How many others there were on the VMs that had a pause.
  std::uint64_t store_operations_outside_pauses() const;
  /// Resumes that came before the target's own view showed it as the owner.
  std::uint32_t races() const;

private:
  bool is_in_pause(const store_operation& operation) const;

  struct interval {
    wall_time begin;
    wall_time end;
  };

  mutable std::mutex mutex_;
  std::map<vm_id, wall_time> stopped_;
  std::multimap<vm_id, interval> pauses_;
  std::vector<store_operation> operations_;
  std::uint32_t races_ = 0;
};

} // namespace drover
