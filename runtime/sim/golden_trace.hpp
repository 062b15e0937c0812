// The trace of a small scenario as lines that people read: when, where, what, in the order of time.
// Rule: pure; the same trace gives the same text, and a changed text is a changed behaviour.
#pragma once

#include "runtime/base/trace.hpp"

#include <string>
#include <utility>
#include <vector>

namespace drover {

class golden_trace final : public trace_sink {
public:
  /// Times are told from `begin` on.
  explicit golden_trace(wall_time begin) : begin_(begin) {}

  void take(const trace_event& event) override;
  /// One line per event, sorted by time; ends with a newline.
  std::string text() const;

private:
  void add(wall_time at, std::string line) { lines_.emplace_back(at, std::move(line)); }

  wall_time begin_;
  std::vector<std::pair<wall_time, std::string>> lines_;
};

/// The first line that differs, with its number and both texts; empty = equal.
std::string first_difference(const std::string& expected, const std::string& found);

} // namespace drover
