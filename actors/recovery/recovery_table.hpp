// What becomes of a VM whose handover nobody goes on with: one table, from what can be observed to
// what is done. Rule: pure; never a step that could let a second copy run, never a guess: where a
// fact is missing, the decision names it and the command that supplies it. How the rows are found
// is told in actors/recovery/README.md.
#pragma once

#include "runtime/base/ids.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// The handover record, and what it says of the end.
enum class record_word : std::uint8_t {
  none,
  settled_at_source,
  settled_at_target,
  open,
  open_completed, ///< the source's word: it never moves again by itself
  open_kept,      ///< the source's word: it runs on
  open_voided,    ///< the target's word: it has made the epoch void and never let it run
};

/// Where the config is.
enum class config_place : std::uint8_t { source, target, elsewhere, nowhere };

enum class node_reach : std::uint8_t {
  answers,
  silent,
  /// Does not answer, and the operator says that it is dead.
  fenced,
};

/// One side's QEMU under the record's epoch.
enum class copy_state : std::uint8_t {
  unseen, ///< its node does not answer
  absent,
  runs,     ///< or is paused by people
  streams,  ///< S: its stream is not over
  complete, ///< S: postmigrate
  waits,    ///< T: for its stream
  loaded,   ///< T: has loaded everything
  strange,  ///< of another epoch, or in a state that nobody knows
};

/// What T's marks say of the epoch.
enum class target_mark : std::uint8_t {
  forgotten, ///< nothing: never prepared, or its host has rebooted since
  prepared,
  ran,    ///< it was let run; that `cont` has come too only its QEMU says
  voided, ///< it never runs there
};

/// On all other nodes.
enum class other_copy : std::uint8_t {
  none,
  waits,
  runs,        ///< where the config is
  runs_astray, ///< where the config is not
};

enum class config_lock : std::uint8_t { none, migrate, foreign };

/// What the operator says of the one copy that nobody can ask: T's after the switchover, or S's
/// after T had loaded everything.
enum class operator_word : std::uint8_t { none, never_ran, ran };

enum class handover_activity : std::uint8_t {
  rests,
  /// An agent brings it to an end, or the nodes' views still differ.
  moves,
};

/// S and T are the nodes of the last handover; without a record S is where the VM is.
struct situation {
  record_word record = record_word::none;
  config_place place = config_place::source;
  node_reach source_reach = node_reach::answers;
  copy_state source = copy_state::runs;
  node_reach target_reach = node_reach::answers;
  copy_state target = copy_state::absent;
  target_mark mark = target_mark::forgotten;
  other_copy other = other_copy::none;
  config_lock lock = config_lock::none;
  operator_word word = operator_word::none;
  handover_activity activity = handover_activity::rests;

  auto operator<=>(const situation&) const = default;
};

enum class recovery_verdict : std::uint8_t {
  nothing,     ///< all is as it should be
  wait,        ///< somebody is at work: look again
  finish,      ///< it goes on, or is settled, on the target
  revert,      ///< it goes on, or is settled, on the source
  end_copy,    ///< a copy that waits in vain goes
  close,       ///< it runs nowhere any more: the books are closed
  leave_alone, ///< somebody else's business, with the reason
  needs_operator,
};

/// Each is one request to an agent and idempotent; a refused one ends the decision, and the VM is
/// looked at again.
enum class recovery_step : std::uint8_t {
  cancel_stream,
  void_target,
  take_over,
  claim,
  settle_target,
  release_source,
  continue_source,
  settle_source,
  end_source_copy,
  end_target_copy,
  close_at_target,
};

struct recovery_row {
  std::string_view name; ///< for people and tests; unique
  recovery_verdict verdict = recovery_verdict::needs_operator;
  std::vector<recovery_step> steps;
  /// Sentences without their stop; {vm}, {source} and {target} stand for the names.
  std::string_view reason;
  std::string_view missing = {}; ///< needs_operator: the fact
  std::string_view command = {}; ///< needs_operator: what supplies it
  bool (*when)(const situation&) = nullptr;
};

/// In the order in which they are tried.
const std::vector<recovery_row>& recovery_rows();

/// The first row that fits; there always is one.
const recovery_row& decide_recovery(const situation& seen);

/// A sentence of a row with its names.
std::string told(std::string_view sentence, vm_id vm, const node_id& source, const node_id& target);

std::string_view to_string(recovery_verdict v);
std::string_view to_string(recovery_step s);
/// True for the steps that the target's agent carries out.
bool is_at_target(recovery_step s);

} // namespace drover
