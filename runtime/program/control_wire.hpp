// What is said through the socket of a run: one line of JSON each. Rule: pure; a line that cannot
// be read is an error for the one who sent it and nothing else.
//
//   asks      {"ask": "follow" | "pause" | "resume" | "cancel"}
//   answers   {"told": "..."}            to pause, resume and cancel, once
//             {"say": "..."}             to a follower, a line of progress
//             {"ended": CODE, "table": "...", "json": "..."}   to a follower, last
#pragma once

#include "runtime/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace drover {

enum class control_ask : std::uint8_t { follow, pause, resume, cancel };

std::string_view to_string(control_ask ask);

struct control_told {
  std::string text;
};
struct control_say {
  std::string text;
};
/// How the run has ended, as its own command tells it.
struct control_ended {
  int exit_code = 0;
  std::string table;
  std::string json;
};
using control_answer = std::variant<control_told, control_say, control_ended>;

/// No line that is asked is longer.
inline constexpr std::size_t control_line_bytes_max = 4096;

/// With the newline at its end.
std::string encode(control_ask ask);
std::string encode(const control_answer& answer);

/// Without the newline.
result<control_ask> decode_ask(std::string_view line);
result<control_answer> decode_answer(std::string_view line);

} // namespace drover
