// `evacuate --detach`: the same command once more, as a process of its own that outlives this one.
// Rule: this command ends when the run has a name, or with what went wrong before that.
#pragma once

#include "runtime/program/options.hpp"

#include <string>

namespace drover {

/// Starts the process, waits for the run's name, tells it and returns the exit code.
int evacuate_in_background(const options& o);

/// In that process, before anything else: what it prints goes to a file.
void enter_background(const options& o);
/// The run has a name: the file is `<state>/running/ID.log` from now on, and who waits is told.
void name_background_run(const options& o, const std::string& id);
/// Another process carries that run out: who waits is told, and this process is not needed.
void leave_background(const options& o, const std::string& id);

} // namespace drover
