// "When this has happened": an event of the trace with some of its fields. Rule: pure; the event's
// name and its fields are checked when the scenario is read, because a misspelt one would never
// come.
#pragma once

#include "runtime/base/luck.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/wire/json_reader.hpp"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace drover {

/// {"event": "phase_changed", "vm": 105, "to": "streaming", "count": 3}
struct event_condition {
  std::string event;                            ///< "any" = whichever comes, but for details
  std::map<std::string, nlohmann::json> fields; ///< each must be equal
  std::uint32_t count = 1;                      ///< which of these events, from 1
  std::uint32_t count_most = 0;                 ///< above `count`: one of these is drawn
};

/// As it is written in a file.
nlohmann::json to_json(const event_condition& condition);

/// The same with one count.
event_condition drawn(event_condition condition, luck& chance);

event_condition read_event_condition(wire::object_reader& from);

/// Lines on a link and views of the store. A run is traced with or without them, and nothing that
/// is counted may depend on it.
bool is_detail(std::string_view event);

/// Looks at one event of the trace.
bool fits(const event_condition& condition, const trace_event& event);

/// Counts; true once, at the event that fulfils the condition.
class event_counter {
public:
  explicit event_counter(event_condition condition) : condition_(std::move(condition)) {}
  bool take(const trace_event& event) {
    return seen_ < condition_.count && fits(condition_, event) && ++seen_ == condition_.count;
  }
  const event_condition& condition() const { return condition_; }

private:
  event_condition condition_;
  std::uint32_t seen_ = 0;
};

} // namespace drover
