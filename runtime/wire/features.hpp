// What came after the first version of the protocol, by name. Rule: a controller asks for it only
// where the agent's hello names it; a name is never used again for something else.
#pragma once

#include "runtime/wire/message.hpp"

#include <array>
#include <string_view>

namespace drover::wire {

namespace feature {
inline constexpr std::string_view clocks = "clocks";
inline constexpr std::string_view stream_tls = "stream-tls";
inline constexpr std::string_view stream_channels = "stream-channels";
inline constexpr std::string_view recovery = "recovery";
} // namespace feature

/// What every agent of this version can do.
inline constexpr std::array features_here{
  feature::clocks, feature::stream_tls, feature::stream_channels, feature::recovery};

/// The feature without which an agent would misunderstand this request; empty = none.
std::string_view needed_feature(const request_body& body);

/// What an operator misses where an agent does not name this feature: a sentence without its stop.
std::string_view loss_without(std::string_view feature);

/// "1.1"; an agent of before 1.1 does not tell the second number.
std::string version_text(int major, std::optional<std::uint32_t> minor);

} // namespace drover::wire
