// Calls that can hang, off the loop's thread: one thread of its own makes them in order, another
// one watches their deadlines. Rule: every call is answered once, by a task posted to the loop,
// unless the queue is gone; and nobody waits for a call that hangs, not even the destructor.
//
//   loop --add--> [queue] --worker: run()--> [held until not_before] --> post(answer) --> loop
//                    \--watch: deadline passed--> post(timed_out) --> loop
#pragma once

#include "runtime/base/time.hpp"

#include <functional>
#include <memory>

namespace drover {

/// Hands a task to the loop. Called from any thread; must only enqueue, never run the task itself.
using post_function = std::function<void(std::function<void()>)>;

class call_queue {
public:
  using task = std::function<void()>;

  struct call {
    /// On the worker: makes the call and returns what the loop shall run. A call whose deadline has
    /// passed before its turn is never made.
    std::function<task()> run;
    /// On the watcher: what the loop shall run when the deadline passes first.
    std::function<task()> time_out;
    /// On the worker, after `run`: the moment before which the answer is not given, for a store
    /// that is slow on purpose. The next call is made meanwhile. Absent: at once.
    std::function<mono_time()> not_before = {};
  };

  explicit call_queue(post_function post);
  /// Waits a moment for a call that is being made, then leaves it to itself. Afterwards no task
  /// runs; on the loop's thread only.
  ~call_queue();
  call_queue(const call_queue&) = delete;
  call_queue& operator=(const call_queue&) = delete;

  void add(call made, nanoseconds deadline);

private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

} // namespace drover
