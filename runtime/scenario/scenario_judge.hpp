// Judges a scenario that has been played. Rule: pure; what was seen in, sentences about what is
// wrong out. An empty answer is a pass. The invariants are judged always, the expectations where
// the scenario states them.
#pragma once

#include "runtime/guest/beacon_stream.hpp"
#include "runtime/program/run_result.hpp"
#include "runtime/program/survey.hpp"
#include "runtime/scenario/pause_audit.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <map>
#include <string>
#include <vector>

namespace drover {

/// What was seen when everything had ended.
struct played_scenario {
  run_result result;
  survey seen;
  std::map<vm_id, beacon_report> beats;
  std::vector<pause_audit::intrusion> intrusions;
  /// What changed in store or run directories although nothing should have.
  std::vector<std::string> touched;
  std::vector<std::string> mishaps; ///< actions that could not be carried out, time that ran out
};

std::vector<std::string> judge_scenario(
  const scenario_file& scenario, const played_scenario& played);

} // namespace drover
