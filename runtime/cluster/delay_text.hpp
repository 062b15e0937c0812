// Times and delays as people write them. Rule: a time has its unit; a delay in a file is either one
// time, always the same, or an object that says between what it is drawn:
//
//   "100ms"
//   {"least": "1ms", "most": "5ms", "slow_per_million": 1000, "slow_most": "2s"}
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"
#include "runtime/wire/json_reader.hpp"

#include <string>
#include <string_view>

namespace drover {

/// "250us", "100ms", "1.5s", "2m", "10ns", and "0"; at most a day. `invalid` says what would be
/// right.
result<nanoseconds> parse_time_span(std::string_view text);

/// In the largest unit in which it is a whole number: "100ms", "2s", "0"; can be parsed again.
std::string format_time_span(nanoseconds span);

/// The time at `key`; `fallback` where the field is missing.
nanoseconds read_time_span(wire::object_reader& from, const std::string& key, nanoseconds fallback);

/// The delay at `key`, in one of the two forms; `fallback` where the field is missing.
delay_range read_delay(
  wire::object_reader& from, const std::string& key, const delay_range& fallback);

/// One word for a flag: "100ms", "1ms..5ms", "1ms..5ms,1000:2s" (1000 of a million up to 2 s).
std::string format_delay(const delay_range& delay);
result<delay_range> parse_delay(std::string_view text);

} // namespace drover
