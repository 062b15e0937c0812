// `drover evacuations`, `pause`, `resume`, `cancel`, `wait`: what is done to a run from outside.
// Rule: a run whose process lives is asked through its socket; of one whose process died the
// journal is asked.
#pragma once

#include "runtime/program/interrupts.hpp"
#include "runtime/program/options.hpp"

#include <optional>
#include <string>

namespace drover {

/// These return the exit code.
int list_evacuations(const options& o);
int pause_run(const options& o, const std::string& id);
int cancel_run(const options& o, const std::string& id);
int wait_for_run(const options& o, const std::string& id);
/// The exit code where the run's process lives, or the run has ended; nullopt when somebody has to
/// take it up.
std::optional<int> resume_living_run(const options& o, const std::string& id);

/// Follows a run to its end, tells what it told, and returns its exit code; nullopt when its
/// process is gone without an end.
std::optional<int> attach_to(const options& o, const std::string& id, interrupts& signals);

} // namespace drover
