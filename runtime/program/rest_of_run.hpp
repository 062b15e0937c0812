// What is left of a run whose controller died, from its rows in the journal and what the nodes say
// now. Rule: pure; the journal tells what was wanted, the nodes tell what is.
//
//   the journal says            the nodes say                         then
//   moved                       -                                     moved
//   left out, stayed            -                                     stays, with its reason
//   not ended, needs_operator   its config is on another node         moved: the agents finished it
//   not ended                   its config is on the source           to move, to the same target
//   not ended                   its record is moving                  unsettled: ask again later
//   not ended                   no node shows it                      stays, with that reason
#pragma once

#include "runtime/journal/journal.hpp"
#include "runtime/program/run_result.hpp"
#include "runtime/program/survey.hpp"

#include <map>
#include <set>
#include <vector>

namespace drover {

struct rest_of_run {
  std::set<vm_id> to_move;
  std::map<vm_id, node_id> targets; ///< as planned
  std::vector<journal_vm> vms;      ///< all rows, with what was learnt
  run_result earlier;               ///< of what is not moved any more
  /// VMs whose last handover is still being brought to an end.
  std::set<vm_id> unsettled;
};

/// Nobody waits any longer: what is neither on the source nor settled needs an operator.
rest_of_run without_unsettled(const journal_run& run, rest_of_run rest, const survey& seen);

rest_of_run rest_of(const journal_run& run, std::vector<journal_vm> vms, const survey& seen);

} // namespace drover
