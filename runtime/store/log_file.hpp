// A file that only grows, line by line, shared by processes. Rule: whoever appends holds the file's
// lock and has read everything before; a last line without its end is what a writer that died left
// behind, and the next writer takes it away.
#pragma once

#include "runtime/store/file_calls.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

class log_file {
public:
  explicit log_file(std::filesystem::path file) : file_(std::move(file)) {}

  const std::filesystem::path& path() const { return file_; }

  /// The whole lines from `offset` on, with their newlines; a file that is not there has none.
  file_calls::outcome<std::string> read_from(std::uint64_t offset) const;
  /// Adds the line at `offset`, where the last whole line ends. The caller holds
  /// `file_calls::exclusive_lock` on the file.
  file_calls::status append_at(std::uint64_t offset, std::string_view line) const;

private:
  std::filesystem::path file_;
};

} // namespace drover
