// May this node do that to this VM now? Pure: everything it judges by is an argument.
//
// Rule: there is no flag that skips the check. A command carries an authority, `owned` (judged by
// the node's own view of the store) or a ticket (evidence of one handover attempt, epoch e), and
// this table is all there is. "fresh": e is not below any epoch that this node knows of.
//
// clang-format off
//   operation        authority  at       also needed
//   start stop begin owned      -        own view: this node is the owner
//   receive          ticket     target   fresh, e not void, not run; own view: the source is the
//                                        owner, or no config is visible yet
//   stream           ticket     source   fresh, e not void; own view: this node is the owner (under
//                                        `early`: the target), record e is moving
//   tune cancel      ticket     source   fresh
//   move             ticket     source   fresh, e not void, a policy whose source moves the config;
//                                        own QEMU postmigrate at e (under `early`: it runs and has
//                                        not streamed under e)
//   resume           ticket     target   fresh, e not void, everything loaded at e, and by policy:
//                                          check    own view: this node is the owner
//                                          nocheck  nothing more
//                                          lock     as check, looked at under the cluster's lock
//                                          early    own view showed it before the switchover
//                                          claim    the own move has succeeded
//                                          ticket   own view showed record e before the switchover
//   claim            ticket     target   fresh, e not void, run at e; under `claim`: or loaded at e
//   void_epoch       ticket     target   fresh, not run at e ("too late")
//   continue_source  ticket     source   fresh, proof that the target made e void and never ran it,
//                                        of the boot that e was streamed to, or somebody's
//                                        assurance in its place; own QEMU postmigrate at e, or
//                                        running, or paused
//   revert           ticket     source   fresh; own QEMU runs, not postmigrate at e, no stream
//                                        under way
//   release          ticket     source   fresh; own view: the target is the owner; own QEMU
//                                        postmigrate at e, or gone
//   settle           ticket     either   fresh; own view: this node is the owner; at the source:
//                                        own QEMU not postmigrate at e, no stream under way; at
//                                        the target: run at e, own QEMU runs
//   discard          ticket     either   fresh; at the source: own QEMU postmigrate at e, or gone;
//                                        at the target: not run at e, own QEMU not running
//   close            ticket     either   fresh; own view: this node is the owner; own QEMU gone
// clang-format on
//
// So a ticket opens on a foreign VM only: the target until it resumes, the source's tear-down after
// the move, and the error paths of those two. resume and void_epoch exclude each other through the
// marks: whichever is written first closes the other's row.
#pragma once

#include "runtime/agent/run_marks.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/wire/message.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace drover {

enum class operation : std::uint8_t {
  start,
  stop,
  begin,
  receive,
  stream,
  tune,
  cancel,
  move,
  resume,
  claim,
  void_epoch,
  continue_source,
  revert,
  release,
  settle,
  discard,
  close,
};

inline constexpr std::array all_operations{
  operation::start,  operation::stop,    operation::begin,      operation::receive,
  operation::stream, operation::tune,    operation::cancel,     operation::move,
  operation::resume, operation::claim,   operation::void_epoch, operation::continue_source,
  operation::revert, operation::release, operation::settle,     operation::discard,
  operation::close};

std::string_view to_string(operation o);

/// The command has no evidence of its own: the view decides.
struct owned {
  bool operator==(const owned&) const = default;
};
using authority = std::variant<owned, ticket>;

/// The stream under the ticket's epoch, as this node's QEMU has it.
enum class stream_phase : std::uint8_t {
  none,
  running,
  completed,
  /// Failed or cancelled.
  ended,
};

struct guard_facts {
  node_id here;
  run_marks marks;
  /// Absent: not looked at. An operation that needs it is refused without.
  std::optional<vm_view> view;
  wire::run_state machine = wire::run_state::absent; ///< own QEMU
  epoch machine_number;                              ///< the epoch it was received or streams under
  stream_phase stream = stream_phase::none;
  /// Policy `claim`: this node's move has put the config into its own directory.
  bool claimed = false;
  std::optional<wire::voided> proof;
  /// Stands for the proof: who says that the target never ran it and never will.
  std::optional<std::string> assurance = {};
};

/// `done`, or why not: `refused`; `invalid` where the ticket is for other nodes; `conflict` where a
/// resume fails on nothing but the own view, which shows another owner (the race).
result<done> judge(operation what, const authority& by, const guard_facts& facts);

} // namespace drover
