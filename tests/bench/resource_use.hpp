// What a running controller and its agents use of processors and memory. Rule: looked at while they
// run, since the kernel adds everything up once they have ended; QEMUs are counted apart.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace drover::bench {

/// Of one process so far, in seconds: all its threads, those that have ended too; of one that has
/// ended, but was not waited for, to its end.
double processor_seconds(pid_t pid);
/// What was resident of a running process at most; 0 when it is gone.
std::uint64_t peak_bytes(pid_t pid);
/// Of all children of this process that have ended and were waited for, with theirs.
double processor_seconds_of_ended_children();

struct used_resources {
  double controller_s = 0;
  double agents_s = 0;                ///< with SSH, their sshd and its sessions too
  std::uint64_t controller_bytes = 0; ///< the peak of what was resident
  std::uint64_t agent_bytes = 0;      ///< the same, of the largest agent
};

class resource_use {
public:
  /// Of `controller`, of `servers`, which run already, and of everything below them that is no
  /// QEMU. New processes are looked for until `agents` of drover's agents were found.
  resource_use(pid_t controller, std::vector<pid_t> servers, std::size_t agents);

  /// Ends the looking. The controller must have ended, and not been waited for; what an agent used
  /// in its last 10 ms may be missed.
  used_resources end();

private:
  struct process {
    double before_s = 0;
    double seconds = 0;
    std::uint64_t peak_bytes = 0;
    bool is_agent = false;
  };

  void look();
  void find_below(pid_t pid);

  const pid_t controller_;
  const std::vector<pid_t> servers_;
  const std::size_t agents_wanted_;
  std::map<pid_t, process> seen_;
  unsigned looks_ = 0;
  std::jthread looker_;
};

/// The QEMUs whose command line has this text, and what they have used so far.
std::map<pid_t, double> qemus_of(const std::string& mark);

/// Waits for orphaned QEMUs, where whoever has started them waits until they are gone altogether.
class qemu_reaper {
public:
  qemu_reaper();
  /// What those have used that were waited for.
  double seconds() const { return seconds_; }

private:
  void look();

  std::set<pid_t> known_;
  std::atomic<double> seconds_ = 0;
  std::jthread looker_;
};

/// The processor time of the QEMUs of one cluster between two moments.
class qemu_use {
public:
  /// QEMUs are known by a text in their command line. They must not be waited for until `end`.
  explicit qemu_use(std::string mark);
  double end_s() const;

private:
  std::string mark_;
  std::map<pid_t, double> before_;
};

} // namespace drover::bench
