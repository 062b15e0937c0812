// What a node has and what it lacks, as a value and as one line of JSON. Rule: pure; every item
// that is missing says what mends it.
#pragma once

#include "runtime/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace drover {

struct readiness_item {
  std::string name; ///< agent, qemu, store, migration_address, run_dir, ...
  bool ok = false;
  std::string found; ///< what is there, or why it does not do
  std::string mend;  ///< a command or a change; empty when ok

  bool operator==(const readiness_item&) const = default;
};

struct readiness_report {
  std::string version; ///< of drover-agent
  std::vector<readiness_item> items;

  bool operator==(const readiness_report&) const = default;
};

std::string to_line(const readiness_report& report);
/// `invalid` when the line is something else.
result<readiness_report> report_from_line(std::string_view line);

} // namespace drover
