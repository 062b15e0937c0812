// What the journal learns from the trace of a run. Rule: pure; it holds what is known of each VM,
// so that every change carries the whole of it and the last one written is enough.
#pragma once

#include "runtime/base/trace.hpp"
#include "runtime/journal/journal.hpp"

#include <map>
#include <vector>

namespace drover {

class journal_book {
public:
  explicit journal_book(const std::vector<journal_vm>& vms = {});

  /// True for events that are kept; cheap, since it is asked for every event of a run.
  static bool keeps(const trace_event& event);

  /// What `event` changes; nothing for what is not kept.
  std::vector<journal_change> take(const trace_event& event);

  /// The write-ahead point: this VM's migration is about to begin.
  std::vector<journal_change> begins(vm_id vm, wall_time now);

private:
  journal_vm* find(vm_id vm);

  std::map<vm_id, journal_vm> vms_;
};

} // namespace drover
