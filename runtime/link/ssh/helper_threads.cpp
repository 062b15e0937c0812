#include "runtime/link/ssh/helper_threads.hpp"

#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace drover::ssh {

struct helper_threads::shared {
  std::mutex mutex;
  std::deque<std::function<void()>> waiting;
  std::size_t threads = 0;
  std::size_t threads_max = 1;

  /// A thread's whole life.
  void work() {
    std::unique_lock guard(mutex);
    while (!waiting.empty()) {
      auto job = std::move(waiting.front());
      waiting.pop_front();
      guard.unlock();
      job();
      job = nullptr; // what it holds goes before the lock is taken again
      guard.lock();
    }
    --threads;
  }
};

helper_threads::helper_threads(std::size_t threads_max) : shared_(std::make_shared<shared>()) {
  shared_->threads_max = threads_max;
}

helper_threads::~helper_threads() {
  std::deque<std::function<void()>> dropped;
  const std::lock_guard guard(shared_->mutex);
  dropped.swap(shared_->waiting);
}

void helper_threads::run(std::function<void()> job) {
  {
    const std::lock_guard guard(shared_->mutex);
    shared_->waiting.push_back(std::move(job));
    if (shared_->threads == shared_->threads_max)
      return;
    ++shared_->threads;
  }
  // Signals are for the program's own threads.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([state = shared_] { state->work(); }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

} // namespace drover::ssh
