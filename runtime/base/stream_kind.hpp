// How a guest's memory crosses the network between two QEMUs. Rule: both ends are told the same
// kind, and an end that cannot do it says so before anything is paused.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace drover {

enum class stream_kind : std::uint8_t {
  /// Encrypted, and both ends proven, by a key that is made for one epoch of one VM.
  tls,
  /// In the clear, for a network that nobody else can read or write.
  plain,
};

/// A stream's memory goes through so many connections at most, beside the main one; with one, it
/// goes through the main one alone.
inline constexpr std::uint32_t stream_channels_max = 16;

std::string_view to_string(stream_kind k);
std::optional<stream_kind> stream_kind_from_string(std::string_view text);

} // namespace drover
