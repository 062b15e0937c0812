// The files of runs in the state directory's folder `running`: what a run has said in the
// background (ID.log), and what it needs while it lives (ID.lock, ID.sock). Rule: of runs that have
// ended the newest stay, as many as the journal and `drover report` keep.
#pragma once

#include <cstddef>
#include <filesystem>

namespace drover {

/// Removes the files of older runs, but never those of one that lives, and the logs of processes
/// that have died before their run had a name.
void prune_running(const std::filesystem::path& state);

} // namespace drover
