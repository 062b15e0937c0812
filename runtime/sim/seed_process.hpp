// A child process that plays seeds and tells its parent of each, so that a crash is a report too.
// Rule: the child only computes and writes to its pipe; it leaves without running anything of the
// parent's.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/sim/campaign.hpp"

#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

class seed_process {
public:
  class teller {
  public:
    explicit teller(int fd) : fd_(fd) {}
    void begins(std::uint64_t seed) const;
    void ended(const seed_report& report) const;

  private:
    void write(const std::string& line) const;
    int fd_;
  };

  static result<seed_process> start(const std::function<void(const teller&)>& work);
  seed_process(seed_process&& other) noexcept;
  seed_process& operator=(seed_process&& other) noexcept;
  seed_process(const seed_process&) = delete;
  seed_process& operator=(const seed_process&) = delete;
  /// Kills what still runs.
  ~seed_process();

  /// Readable when there is something to read.
  int fd() const { return fd_; }
  /// The reports that have come; at the child's end it is waited for.
  std::vector<seed_report> read();
  void kill();
  bool has_ended() const { return pid_ == 0; }
  /// After the end: the seed that was begun and never ended.
  std::optional<std::uint64_t> broken_seed() const { return begun_; }

private:
  seed_process(pid_t pid, int fd) : pid_(pid), fd_(fd) {}
  void close();

  pid_t pid_ = 0;
  int fd_ = -1;
  std::string text_;
  std::optional<std::uint64_t> begun_;
};

} // namespace drover
