// What the agents of a run may do. Rule: a value for whoever composes their command line.
#pragma once

#include <cstdint>

namespace drover {

enum class fleet_access : std::uint8_t {
  /// Agents that act; one at a time per node.
  control,
  /// Agents that only look; beside one that acts.
  observe,
};

} // namespace drover
