// Many seeds of one scenario, several processes at a time. Rule: a seed that crashes or hangs costs
// that seed and not the campaign, and is told like any other failure.
#pragma once

#include "runtime/base/policy.hpp"
#include "runtime/scenario/scenario_file.hpp"
#include "runtime/sim/fault_player.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace drover {

/// Worst last: the codes with which `drover run` exits where seeds were played.
enum class seed_verdict : std::uint8_t {
  passed,      ///< 0
  expectation, ///< 1: something that the scenario states did not come
  liveness,    ///< 11: something did not settle although all was calm, or never ended
  safety,      ///< 10: an invariant was violated
  crash,       ///< 12: the program stopped at a broken invariant of its own
};

std::string_view to_string(seed_verdict v);
int exit_code_of(seed_verdict v);

struct seed_report {
  std::uint64_t seed = 0;
  seed_verdict verdict = seed_verdict::passed;
  std::vector<std::string> wrong;
  std::uint64_t moved = 0;
  std::uint64_t needs_operator = 0;
  std::uint64_t lost_to_faults = 0;
  std::uint64_t steps = 0;
  double virtual_s = 0;
  std::map<std::string, std::uint64_t> injected;
  fault_meetings met;
};

struct campaign_sums {
  std::uint64_t seeds = 0;
  std::uint64_t moved = 0;
  std::uint64_t needs_operator = 0;
  std::uint64_t lost_to_faults = 0;
  std::uint64_t steps = 0;
  double virtual_s = 0;
  double wall_s = 0;
  std::map<std::string, std::uint64_t> injected;
  fault_meetings met;
  std::map<seed_verdict, std::uint64_t> verdicts;
};

struct campaign_settings {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1;
  std::uint32_t jobs = 1;
  std::optional<policy> how;
  /// Told of each seed that did not pass, in the order in which they end.
  std::function<void(const seed_report&)> failed;
};

/// One seed in this process.
seed_report play_seed(const scenario_file& scenario, std::uint64_t seed, std::optional<policy> how);

/// `invalid` when processes cannot be started.
result<campaign_sums> run_campaign(
  const scenario_file& scenario, const campaign_settings& settings);

/// For people: figures, faults by kind and what they met; ends with a newline.
std::string to_table(const campaign_sums& sums);
std::string to_json(const scenario_file& scenario, const campaign_sums& sums);

} // namespace drover
