// Looks whether this node has what its agent needs. Rule: it looks and changes nothing; each item
// stands alone, so that all that is missing is told at once.
#pragma once

#include "runtime/readiness/readiness_report.hpp"

#include <filesystem>
#include <string>

namespace drover {

struct probe_settings {
  std::string node;
  std::filesystem::path run_dir;
  std::filesystem::path store;
  std::string migration_address;
  std::string qemu;
};

/// Items `qemu`, `store`, `migration_address`, `run_dir`.
readiness_report probe_node(const probe_settings& of);

} // namespace drover
