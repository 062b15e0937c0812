// What is left of a run for people: one HTML file, and the same as CSV and JSON. Rule: it only
// writes what a run_history tells; a file that cannot be written is an error that names it.
#pragma once

#include "runtime/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace drover {

struct report_facts {
  std::string title;
  /// In the order in which they are shown: "scenario", "policy", ...
  std::vector<std::pair<std::string, std::string>> environment;
};

/// Makes the directory where there is none; `invalid` where it cannot be written.
result<done> prepare_report_directory(const std::filesystem::path& path);

/// Writes `base`.html, `base`.csv and `base`.run.json; `run` as run_history tells the whole.
result<done> write_run_report(
  const std::filesystem::path& base, nlohmann::ordered_json run, const report_facts& facts);

result<done> write_report_file(const std::filesystem::path& path, const std::string& text);

} // namespace drover
