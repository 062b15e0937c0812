// The trace that a controller under test writes, read while it grows. Rule: a line that is not
// whole yet is not there yet.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace drover::testing {

class trace_file {
public:
  explicit trace_file(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path() const { return path_; }
  std::vector<nlohmann::json> events() const;
  /// Waits until `count` events have these fields.
  bool wait_for(
    const nlohmann::json& wanted, std::size_t count, std::chrono::seconds patience) const;
  /// Checks that a VM has been paused, and that in no pause there was an operation on its VM: what
  /// the policy `ticket` promises.
  void check_no_pause_waited() const;

private:
  std::filesystem::path path_;
};

} // namespace drover::testing
