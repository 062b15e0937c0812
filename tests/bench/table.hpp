// The bench's figures as lines for people. Rule: one row per side with what was measured, one per
// ratio right below the columns that it is of; nothing is judged.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace drover::bench {

/// At once, since the next line may take minutes.
void say(const std::string& line);

/// What stands above the rows.
std::string table_head();
/// The medians of one side at one point.
std::string table_row(
  int vms, const std::string& streams, const std::string& side,
  const nlohmann::ordered_json& medians);
/// The same columns as ratios; `name` tells of what to what.
std::string ratio_row(const std::string& name, const nlohmann::ordered_json& ratios);

/// What has changed since an earlier run: a line for each side of each point that both have.
std::vector<std::string> changes(
  const nlohmann::ordered_json& now, const nlohmann::ordered_json& before);

} // namespace drover::bench
