// Plays one scenario in a simulated world, from one seed, to its end: actions at their time,
// faults, calm, and the judgement. Rule: it decides nothing that the scenario states; the same
// scenario and seed give the same trace, byte for byte.
#pragma once

#include "runtime/program/run_result.hpp"
#include "runtime/scenario/scenario_file.hpp"
#include "runtime/scenario/scenario_judge.hpp"
#include "runtime/sim/fault_player.hpp"
#include "runtime/sim/invariants.hpp"
#include "runtime/sim/sim_world.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace drover {

struct sim_play_settings {
  std::uint64_t seed = 1;
  sim_detail detail = sim_detail::decisions;
  /// Hears every event; null = nobody.
  std::shared_ptr<trace_sink> trace;
};

struct sim_outcome {
  played_scenario played;
  /// Sentences about what is wrong; empty = passed.
  std::vector<std::string> wrong;
  std::vector<violation> violations;
  /// VMs that ended as needs_operator, with what was said.
  std::map<vm_id, std::string> needs_operator;
  std::size_t lost_to_faults = 0;
  std::map<std::string, std::uint64_t> injected; ///< faults, by their word
  fault_meetings met;
  std::uint64_t pauses_checked = 0; ///< told, and held against the true ones
  double virtual_s = 0;
  std::uint64_t steps = 0;
};

/// `scenario` without `random`, or drawn before.
sim_outcome play_in_sim(const scenario_file& scenario, const sim_play_settings& settings);

} // namespace drover
