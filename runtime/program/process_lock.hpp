// A lock between processes of one machine that is free the moment its holder is dead, and whose
// file tells who that is. Rule: it is the kernel's (flock on an open file), so nothing has to be
// cleaned up after a crash; the text is for people and for finding the holder's socket. It goes
// with the lock, so that the next holder is not taken for this one before it has signed.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/unique_fd.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace drover {

class process_lock {
public:
  /// Makes the file (0600) and its folder. `conflict` when another process has it, with that one's
  /// text as the context.
  static result<process_lock> take(const std::filesystem::path& file, const std::string& text);

  process_lock(process_lock&&) = default;
  /// What it held before goes with the other one.
  process_lock& operator=(process_lock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~process_lock();

  /// The holder's text; nullopt when nobody holds it.
  static std::optional<std::string> holder(const std::filesystem::path& file);

  /// Replaces the text.
  void sign(const std::string& text);

private:
  explicit process_lock(unique_fd fd) : fd_(std::move(fd)) {}

  unique_fd fd_;
};

} // namespace drover
