// What is left of a run for people: one HTML file, and the same as CSV and JSON. Rule: it only
// writes what a run_history tells; a file that cannot be written is an error that names it.
#pragma once

#include "runtime/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
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

/// `run` as run_history tells the whole, with the facts that a report shows of it.
nlohmann::ordered_json told_run(nlohmann::ordered_json run, const report_facts& facts);

/// What a report's files end with.
inline constexpr std::array<const char*, 3> report_endings{".html", ".csv", ".run.json"};

/// Writes `base` with each of the endings.
result<done> write_run_report(const std::filesystem::path& base, const nlohmann::ordered_json& run);

result<done> write_report_file(const std::filesystem::path& path, const std::string& text);

} // namespace drover
