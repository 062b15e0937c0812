// A store directory on a FUSE file system of the tests' own, which goes wrong on command. Rule: the
// mount and its process are gone at the end; where this machine lets nobody mount, `why_not` says
// so, and the test skips with it.
//
// What can be commanded is in shim_faults.hpp.
#pragma once

#include "tests/support/run_program.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>

namespace drover::testing {

class mounted_store {
public:
  /// What has been asked of it so far, and what hangs in it now.
  struct figures {
    std::uint64_t writes = 0;
    std::uint64_t refused = 0;
    std::uint64_t hanging = 0;
    std::uint64_t moves = 0;
  };

  /// `lock_expiry`: a pmxcfs has 120 s.
  explicit mounted_store(std::chrono::milliseconds lock_expiry = std::chrono::seconds{120});
  ~mounted_store();
  mounted_store(const mounted_store&) = delete;
  mounted_store& operator=(const mounted_store&) = delete;

  /// Empty when it is mounted.
  const std::string& why_not() const { return why_not_; }
  std::filesystem::path path() const { return directory_.path() / "pve"; }
  /// The same files without the mount, for what the test itself lays down and looks at.
  std::filesystem::path files() const { return directory_.path() / "files"; }

  /// One command; stops the test when it is not understood.
  void tell(const std::string& command);
  figures status();
  bool wait_until(const std::function<bool(const figures&)>& enough, std::chrono::seconds patience);

private:
  void start(std::chrono::milliseconds lock_expiry);
  std::string ask(const std::string& command);
  std::string read_line();

  temporary_directory directory_;
  std::string why_not_;
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
};

/// For tests that cannot run without it: what CTest takes for a skip (SKIP_REGULAR_EXPRESSION).
void tell_skipped(const mounted_store& store);

} // namespace drover::testing
