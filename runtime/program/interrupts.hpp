// Ctrl-C as a value: SIGINT, SIGTERM and SIGHUP arrive in a function instead of ending the program.
// Rule: made before any other thread, so that all threads inherit the blocked signals.
#pragma once

#include "runtime/base/time.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace drover {

class interrupts {
public:
  interrupts();
  ~interrupts();
  interrupts(const interrupts&) = delete;
  interrupts& operator=(const interrupts&) = delete;

  /// Called on a thread of its own at each signal, with how many there were; also for those that
  /// came before. An empty function ignores them.
  void on_signal(std::function<void(unsigned count)> handler);
  unsigned count() const;
  /// Returns at the first signal, also one that came before, or after `at_most`.
  void wait(nanoseconds at_most);

private:
  void watch();

  int signals_ = -1;
  int wake_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::function<void(unsigned)> handler_;
  unsigned count_ = 0;
  std::thread watcher_;
};

} // namespace drover
