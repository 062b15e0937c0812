// The processor time of a running program and of the agents that it has started, without their
// QEMUs. Rule: looked at while they run, since the kernel adds up everything once they have ended.
#pragma once

#include <atomic>
#include <map>
#include <sys/types.h>
#include <thread>

namespace drover::bench {

class processor_time {
public:
  /// Of `pid`, and of its children as long as they are drover's agents.
  explicit processor_time(pid_t pid);

  /// Ends the looking; in seconds, to the kernel's tick of 10 ms and process.
  double end_s();

private:
  void look(pid_t pid);

  std::map<pid_t, long> ticks_;
  std::jthread looker_;
};

} // namespace drover::bench
