// The handover policies side by side: each policy at each lag of the store, one row a run. Rule:
// pure; whoever asks for a comparison plays the runs, in whichever world.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"
#include "runtime/program/run_result.hpp"
#include "runtime/scenario/scenario_judge.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace drover {

/// The lags of a comparison that names none.
inline constexpr std::array<nanoseconds, 5> comparison_lags{
  nanoseconds{0}, std::chrono::milliseconds{10}, std::chrono::milliseconds{100},
  std::chrono::seconds{1}, std::chrono::seconds{10}};

struct comparison_row {
  policy how = policy::ticket;
  nanoseconds lag{0};
  std::uint32_t moved = 0;
  std::uint32_t races = 0;
  std::uint32_t stuck = 0;
  std::optional<distribution> pause; ///< in seconds, of the VMs that moved
  std::uint64_t operations_in_pauses = 0;
  std::uint64_t operations_outside_pauses = 0; ///< on the VMs that had a pause
  std::uint32_t wrong = 0;                     ///< expectations and invariants that failed
};

comparison_row row_of(
  policy how, nanoseconds lag, const scenario_file& scenario, const played_scenario& played,
  std::size_t wrong);

struct comparison {
  std::string scenario;
  std::string world;
  std::vector<comparison_row> rows; ///< by policy, then by lag
};

/// Plays one run.
using row_maker = std::function<result<comparison_row>(policy how, nanoseconds lag)>;

/// Every policy at every lag (`lags` empty = the usual ones); the first error ends it.
result<std::vector<comparison_row>> compare(
  const std::vector<nanoseconds>& lags, const row_maker& play);

/// How much the median pause grows from the first lag to the last; absent where there is none.
std::optional<double> pause_growth(const comparison& c, policy how);

/// For people; ends with a newline.
std::string to_table(const comparison& c);
std::string to_json(const comparison& c);
std::string to_csv(const comparison& c);

} // namespace drover
