// The other end of a run's socket: asks once, or follows to the end. Rule: `lost` when nobody is
// there any more; what became of the run then stands in the journal.
#pragma once

#include "runtime/program/control_wire.hpp"
#include "runtime/program/interrupts.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace drover {

/// What the run's process told.
result<std::string> ask_run(const std::filesystem::path& socket, control_ask ask);

/// nullopt when a signal came first: the run goes on, and only this process leaves.
result<std::optional<control_ended>> follow_run(
  const std::filesystem::path& socket, const interrupts& signals,
  const std::function<void(const std::string&)>& say);

} // namespace drover
