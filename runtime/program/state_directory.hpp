// Where the controller keeps what outlives a command. Rule: of the user who runs drover; what is in
// it is a help for people and for a later command, and never the truth about a VM.
//
//   journal.sqlite    what was planned, begun and ended
//   runs/ID.json      the report of an ended run
//   running/ID.lock   locked by the process that carries the run out, as long as it lives
//   running/ID.sock   where that process is paused, resumed, cancelled and followed
//   running/ID.log    what a run in the background prints
//   running/*.node    locked by the process that empties that node of that cluster
#pragma once

#include "runtime/base/error.hpp"

#include <filesystem>
#include <string>

namespace drover {

/// `wanted`, or where it is empty $XDG_STATE_HOME/drover, else ~/.local/state/drover. Nothing is
/// made yet.
result<std::filesystem::path> state_directory(const std::string& wanted);

} // namespace drover
