// Threads for what may block: files, name look-ups, passphrases and the time that decrypting a key
// takes. Rule: they exist only while there is something to do, and nobody waits for one: a call
// that hangs keeps its thread and nothing else.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace drover::ssh {

class helper_threads {
public:
  explicit helper_threads(std::size_t threads_max);
  helper_threads(const helper_threads&) = delete;
  helper_threads& operator=(const helper_threads&) = delete;
  /// Drops what has not begun.
  ~helper_threads();

  /// In the order of asking, once a thread is free.
  void run(std::function<void()> job);

private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

} // namespace drover::ssh
