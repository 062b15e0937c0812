// What a node remembers of each VM's handovers: the fence that outlives an agent. Rule: a mark only
// grows, and it is written before the QEMU command that it stands for.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace drover {

/// Epochs of one VM at one node; 0 = never.
struct run_marks {
  /// Highest epoch under which this node let the VM run.
  epoch run;
  /// Highest epoch that this node has declared void: up to it nothing is resumed here, and as the
  /// source it neither streams nor moves the config.
  epoch voided;
  /// Highest epoch that any accepted command named.
  epoch seen;
  /// The epoch whose record the own view showed before the switchover.
  epoch barrier;
  /// The epoch whose VM was paused before its move, so that taking over does not let it run.
  epoch paused;
  /// Policy `early`: the epoch under which the own view showed this node as owner before the
  /// switchover.
  epoch owned;
  /// The source: the last epoch that was streamed from here, how, and to which boot of which
  /// target. What another boot says of that epoch proves nothing; and a store that has forgotten
  /// the record is told again.
  epoch streamed;
  node_id target = {};
  std::string target_boot_id = {};
  policy how = policy::ticket;

  /// The last epoch that was settled here, or that is to be: nobody goes on with it.
  epoch settled = {};
  /// The last epoch whose begin was answered here: before that its controller does not know of it.
  epoch begun = {};
  /// The last epoch whose begin failed here: its record or lock may still come.
  epoch undone = {};
  /// The source: the epoch from which it went on without a command to QEMU, because the VM was
  /// paused before its move.
  epoch kept = {};

  bool operator==(const run_marks&) const = default;

  epoch highest() const { return std::max({run, voided, seen}); }
};

/// Port: where the marks are kept, a place that a reboot empties together with the QEMUs.
class mark_store {
public:
  virtual ~mark_store() = default;
  virtual result<std::map<vm_id, run_marks>> load() = 0;
  /// In the pause of a handover: one small write, answered when a new agent would read it.
  virtual result<done> save(vm_id vm, const run_marks& marks) = 0;
  /// Of a VM that is no more; success when there are none.
  virtual result<done> forget(vm_id vm) = 0;
};

} // namespace drover
