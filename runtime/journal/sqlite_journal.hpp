// The journal as one SQLite file, in WAL mode: readers and the writer do not wait for each other,
// and a commit is one write and one fsync, however many changes it holds. Rule: a file that is not
// ours is left as it is; its text values are looked at when they are read, never trusted.
#pragma once

#include "runtime/journal/journal.hpp"

#include <filesystem>
#include <memory>

namespace drover {

/// The journal's file in a state directory.
inline constexpr const char* journal_file_name = "journal.sqlite";

/// Makes the file (0600) and its folder where they are not there yet. May be used from any thread.
result<std::shared_ptr<journal>> open_journal(const std::filesystem::path& file);

} // namespace drover
