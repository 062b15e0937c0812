// Judges a scenario that has been played. Rule: pure; what was seen in, sentences about what is
// wrong out. An empty answer is a pass. The invariants are judged always, the expectations where
// the scenario states them.
#pragma once

#include "runtime/guest/beacon_stream.hpp"
#include "runtime/program/run_result.hpp"
#include "runtime/program/survey.hpp"
#include "runtime/scenario/pause_audit.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace drover {

/// What was seen when everything had ended.
struct played_scenario {
  run_result result;
  survey seen;
  std::map<vm_id, beacon_report> beats;
  std::vector<pause_audit::intrusion> intrusions;
  std::uint64_t operations_outside_pauses = 0; ///< of the store, on VMs that had a pause
  std::uint32_t races = 0; ///< resumes that came before the target's view showed it as owner
  std::vector<std::string> violations; ///< of the invariants, as the world's checkers tell
  /// VMs whose target refused to let them run, because its view did not show it as owner.
  std::set<vm_id> refused;
  /// Lost to a fault or waiting for an operator's word: their places are not judged.
  std::set<vm_id> excused;
  /// What changed in store or run directories although nothing should have.
  std::vector<std::string> touched;
  std::vector<std::string> mishaps; ///< actions that could not be carried out, time that ran out
};

/// VMs that were running and that no node runs now although a copy is there, with its node. An
/// excused one is among them only when its target refused it.
std::map<vm_id, node_id> stuck_vms(const scenario_file& scenario, const played_scenario& played);

/// By `scenario.expect`; see `as_played`.
std::vector<std::string> judge_scenario(
  const scenario_file& scenario, const played_scenario& played);

} // namespace drover
