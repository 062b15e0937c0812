// The processes that belong to a scenario's room. Rule: a process belongs to a room when the room's
// random name stands in its command line, so nothing else can be meant.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

/// From now on orphans of this process's children become its own, so that they can be reaped.
void adopt_orphans();

/// All but the calling process.
std::vector<pid_t> processes_of(const std::filesystem::path& room);

/// The newest process that runs `program` with `text` in its command line.
std::optional<pid_t> process_running(const std::filesystem::path& program, const std::string& text);

/// SIGKILL to all of them, again and again until none is left; those left after some seconds.
std::vector<pid_t> end_processes_of(const std::filesystem::path& room);

} // namespace drover
