// Where a run's result, comparison and trace are written (`--report DIR`). Rule: it is made, or
// found writable, before anything is played; names are the runs', so that the same command writes
// the same files.
#pragma once

#include "metrics/page/run_history.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/time.hpp"
#include "runtime/scenario/comparison.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace drover {

/// What tells one run of a scenario from another.
struct run_key {
  std::string scenario;
  std::optional<policy> how;
  std::optional<nanoseconds> lag;
  std::optional<std::uint64_t> seed;
};

/// "resume_overtakes_move.check.lag-10ms.seed-7"
std::string to_string(const run_key& key);

class report_directory {
public:
  /// `invalid` where a file has that name, or it cannot be made.
  static result<report_directory> open(const std::filesystem::path& path);

  result<done> write_result(const run_key& key, const std::string& json) const;
  /// For people: as NAME.html, NAME.csv and NAME.run.json.
  result<done> write_run(
    const run_key& key, const scenario_file& scenario, const run_history& history) const;
  /// As NAME.comparison.html, .json and .csv.
  result<done> write_comparison(const comparison& c) const;
  /// NDJSON; for a wire::trace_file.
  std::filesystem::path trace_path(const run_key& key) const;
  const std::filesystem::path& path() const { return path_; }

private:
  explicit report_directory(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

} // namespace drover
