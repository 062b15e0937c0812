// Driver: reads a file that people write (cluster file, scenario) as a whole. Rule: the only place
// of the two rooms that touches the disk; the parsers take text.
#pragma once

#include "runtime/base/error.hpp"

#include <cstddef>
#include <filesystem>
#include <string>

namespace drover {

/// No cluster or scenario comes near it; a device or a disk image given by mistake does.
inline constexpr std::size_t text_file_bytes_max = 4 * 1024 * 1024;

struct text_file {
  std::string text;
  /// Where the file's relative paths begin: its own directory, absolute.
  std::filesystem::path directory;
};

/// `invalid`, with the path as it was given: "lab.json: no such file".
result<text_file> read_text_file(const std::filesystem::path& path);

} // namespace drover
