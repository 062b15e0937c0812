// Strangers at the doors of a node: whoever can reach its migration network can connect to where
// an agent waits for a stream. Rule: they know no token; some say nothing, some babble, and all
// stay for as long as they are let.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"

#include <cstddef>
#include <filesystem>
#include <string>

namespace drover {

/// Comes to every door that the agents with `text` in their command line open within `span`, and
/// goes at its end; how many connections there were. Blocks for `span`.
result<std::size_t> visit_doors(
  const std::filesystem::path& agent, const std::string& text, milliseconds span);

} // namespace drover
