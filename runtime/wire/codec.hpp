// Messages to JSON-RPC 2.0 lines and back. Rule: bad input is an error that names its place and
// quotes the line, cut short; nothing here throws, reads a clock or does I/O.
//
//   request  {"jsonrpc":"2.0","id":"c1-7","method":"take_over","deadline_ms":5000,"params":{...}}
//   reply    {"jsonrpc":"2.0","id":"c1-7","result":{"taken_over":{...}}}
//   error    {"jsonrpc":"2.0","id":"c1-7","error":{"code":-32002,"message":"what",
//             "data":{"code":"refused","context":"with what"}}}
//   notice   {"jsonrpc":"2.0","method":"stream_progress","params":{...}}
//
// A result is keyed by the name of its type, so a reply can be read without its request.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/wire/message.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace drover::wire {

/// How much of a bad line an error quotes.
inline constexpr std::size_t quoted_chars_max = 80;
inline constexpr std::size_t request_id_chars_max = 200;
/// No request waits longer; it keeps arithmetic with deadlines far from overflow.
inline constexpr milliseconds deadline_max = std::chrono::hours(24 * 7);

// Lines come without their newline; text that is not UTF-8 is written with replacement characters.
std::string encode(const request& message);
std::string encode(const reply& message);
std::string encode(const notice& message);

result<request> decode_request(std::string_view line);
result<from_agent> decode_from_agent(std::string_view line);

/// The id of a line that could not be decoded, so that its sender can be told; nullopt when the
/// line has none that can be read.
std::optional<request_id> id_of(std::string_view line);

/// "take_over": the name of a request on the wire.
std::string_view method_name(const request_body& body);
/// "taken_over": the name of a reply's type on the wire.
std::string_view type_name(const reply_body& body);
/// True when `body` is of the type that `asked` is answered by.
bool answers(const request_body& asked, const reply_body& body);

} // namespace drover::wire
