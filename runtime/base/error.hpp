// Errors are values. Rule: the code says what the caller can do next, `what` says what happened,
// `context` with what it happened; text is for people and is never parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace drover {

/// What a caller can do about an error.
enum class errc : std::uint8_t {
  /// Nothing was decided; the same request may succeed later.
  retry = 1,
  /// A rule forbids it; asking again will not help.
  refused,
  /// The peer is gone; whether the request was carried out is unknown.
  lost,
  /// The deadline passed; whether the request was carried out is unknown.
  timeout,
  /// Somebody else holds or changed the thing meanwhile: read again, then decide.
  conflict,
  /// The input is malformed; the message names the place.
  invalid,
  /// A broken invariant or an answer that the protocol does not know.
  bug,
};

struct error {
  errc code = errc::bug;
  std::string what;
  std::string context;

  bool operator==(const error&) const = default;
};

template <class T>
using result = tl::expected<T, error>;

/// Nothing to say but success.
struct done {
  bool operator==(const done&) const = default;
};

std::string_view to_string(errc code);
std::optional<errc> errc_from_string(std::string_view text);

/// "what (context)": one line for people.
std::string to_string(const error& e);

/// Shorthand for the failing side of a result.
inline tl::unexpected<error> fail(errc code, std::string what, std::string context = {}) {
  return tl::unexpected<error>(error{code, std::move(what), std::move(context)});
}

/// True where the request may have been carried out although no answer says so.
inline bool is_unknown(errc code) { return code == errc::lost || code == errc::timeout; }

} // namespace drover
