// Runs a program as a person would and keeps what it prints. Rule: bounded; whatever outlives its
// time is killed, and the test says so.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover::testing {

struct finished_program {
  int exit_code = -1; ///< 128 + signal when a signal ended it
  bool timed_out = false;
  std::string out;
  std::string err;
};

class running_program {
public:
  explicit running_program(const std::vector<std::string>& argv);
  ~running_program();
  running_program(const running_program&) = delete;
  running_program& operator=(const running_program&) = delete;

  /// Reads until `enough` says so of what was printed, or `patience` is over.
  bool wait_until(
    const std::function<bool(const finished_program&)>& enough, std::chrono::seconds patience);
  void signal(int number) const;
  pid_t pid() const { return pid_; }
  /// Waits for its end; SIGKILL after `patience`.
  finished_program finish(std::chrono::seconds patience);

private:
  /// Reads what there is; false when both streams have ended.
  bool read_some(std::chrono::milliseconds at_most);
  bool has_ended() const;
  /// Whether a stream has something to read, its end included.
  bool has_more() const;
  void reap();

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  finished_program seen_;
};

finished_program run_program(
  const std::vector<std::string>& argv, std::chrono::seconds patience = std::chrono::seconds{60});

/// Pids whose command line holds `text`.
std::vector<pid_t> processes_with(const std::string& text);

/// A directory of its own under `parent`, removed at the end; short, because socket paths are.
class temporary_directory {
public:
  explicit temporary_directory(const std::string& parent = "/tmp");
  ~temporary_directory();
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace drover::testing
