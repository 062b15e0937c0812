// The worlds in which a scenario can be played. Rule: a plain word.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace drover {

enum class world_kind : std::uint8_t {
  sim,   ///< everything below the agents' ports is simulated, in virtual time, from a seed
  local, ///< real agents and real QEMUs on this machine
};

constexpr std::string_view to_string(world_kind w) {
  return w == world_kind::sim ? "sim" : "local";
}

constexpr std::optional<world_kind> world_kind_from_string(std::string_view text) {
  if (text == "sim")
    return world_kind::sim;
  if (text == "local")
    return world_kind::local;
  return std::nullopt;
}

} // namespace drover
