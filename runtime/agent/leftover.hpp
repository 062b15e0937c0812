// Does anybody still go on with a handover, and what of it is left at this node? Pure: judged by
// the node's marks, its own QEMU and what its view of the store shows. Rule: nothing is ended or
// made again but on what these functions say; when to look is agent_watch.cpp's and
// agent_leftover.cpp's.
//
//   marks of the last epoch here             what it means
//   seen, but neither begun, run nor void    half begun: its controller has no answer yet
//   begun, and nothing after it              unheard, once its controller begins again
//   settled                                  nobody goes on with it; its record has to say so
//   run, but not settled                     its record is missing a settling
#pragma once

#include "runtime/agent/ownership_guard.hpp"

#include <optional>
#include <string>

namespace drover {

/// A node's part in a VM's handovers.
struct own_part {
  vm_id vm;
  node_id here;
  run_marks marks;
  wire::run_state machine = wire::run_state::absent; ///< own QEMU
  epoch number;                                      ///< the epoch of its QEMU
  bool has_loaded = false; ///< its QEMU waits, and has loaded everything of its epoch

  bool operator==(const own_part&) const = default;
};

/// Its vCPUs run, or people have paused it.
bool runs(wire::run_state state);

/// A begin that its agent never answered: its controller does not know of it, and what was on its
/// way to the store may come later.
bool is_half_begun(const run_marks& marks);

/// A begin that was answered, and of which nothing has come since. Who begins again has not heard
/// the answer.
bool is_unheard(const run_marks& marks);

/// What runs here was settled, and no newer epoch is known.
bool stands_settled(const own_part& part);

/// The last begin has failed here: its record and its lock may come when nobody expects them.
bool may_still_come(const run_marks& marks);

/// A copy that waits for what its handover brings, or that has never been settled.
bool waits(const own_part& part);

/// The copy waits, and the record says that nobody comes for it: the controller that is here has
/// ended it, is not the one of the record, or a newer epoch was begun.
bool is_left_over(
  const own_part& part, const handover_record& record, const std::string& controller);

/// The record of what stands settled here, whatever the store shows now; nullopt where the store
/// tells of a newer epoch, or where nobody can say between which nodes it went.
std::optional<handover_record> settled_record(const own_part& part, const vm_view& seen);

/// The view does not show the handover settled with its config here, and nothing newer that makes
/// the question moot: a healed partition has taken the settling back.
bool is_taken_back(const ticket& t, const node_id& here, const vm_view& seen);

/// The handover of a source that is complete, made again from its marks: the store does not know it
/// any more. `known`: the number of the store's record.
std::optional<handover_record> streamed_record(const own_part& part, epoch known);

/// A newer epoch that was begun here and left nothing in the store; its number ends the older one.
std::optional<handover_record> begun_record(
  const own_part& part, const std::optional<handover_record>& known);

/// It runs here under a newer epoch than the store knows.
bool may_have_come(const own_part& part, const std::optional<handover_record>& known);

/// What may have come did so from where its config is again.
std::optional<handover_record> come_record(
  const own_part& part, const std::optional<handover_record>& known, const node_id& owner);

} // namespace drover
