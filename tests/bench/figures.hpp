// What one round of one side was like, the medians over its rounds, and how two sides compare.
// Rule: numbers only; who plays and who prints is elsewhere.
#pragma once

#include "tests/bench/resource_use.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace drover::bench {

/// What is asked of both sides of a comparison.
struct bench_point {
  int vms = 100;
  /// A number, "all" of the VMs, or "default": what drover does without a word about it.
  std::string streams = "2";
};

/// As drover's limits are where nothing else is said.
inline constexpr int streams_usually = 2;
inline constexpr int prepared_usually = 8;

int streams_at_once(const bench_point& at);
/// Migrations that are prepared or stream.
int prepared_at_once(const bench_point& at);

/// One round of one side.
struct round_figures {
  std::vector<double> pauses_s;
  double makespan_s = 0;
  used_resources used;
  double qemu_s = 0; ///< processor time of sources and targets together
  int failed = 0;    ///< VMs that did not move, where that ends no round
};

double quantile(std::vector<double> values, double share);

/// The median of each figure, by the names that `--json` writes.
nlohmann::ordered_json medians(int vms, const std::vector<round_figures>& rounds);

/// Each figure of `ours` over that of `theirs`; what is 0 there is left out.
nlohmann::ordered_json ratios(
  const nlohmann::ordered_json& ours, const nlohmann::ordered_json& theirs);

} // namespace drover::bench
