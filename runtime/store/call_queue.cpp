#include "runtime/store/call_queue.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace drover {
namespace {

/// How long the destructor waits for a call that is being made.
constexpr milliseconds patience{500};

} // namespace

/// Outlives the queue as long as a thread hangs in a call.
struct call_queue::shared {
  struct entry;
  using deadlines = std::multimap<mono_time, std::shared_ptr<entry>>;
  struct entry {
    call made;
    bool answered = false;
    deadlines::iterator deadline;
  };

  explicit shared(post_function f) : post(std::move(f)) {}

  /// With the mutex held, so that nothing is posted once the destructor has closed the queue.
  void answer(const std::shared_ptr<shared>& self, entry& which, task done) {
    if (std::exchange(which.answered, true))
      return;
    if (!closed) {
      due.erase(which.deadline);
      post([self, done = std::move(done)] {
        if (!self->closed)
          done();
      });
    }
  }

  /// The watcher: until the next moment at which there is something to do. An answer that has come
  /// meanwhile makes that moment an idle one; waking it for each call would cost far more.
  void wait_for_next(std::unique_lock<std::mutex>& lock, mono_time now) {
    watched_until = mono_time::max();
    if (!held.empty())
      watched_until = held.begin()->first;
    if (!due.empty())
      watched_until = std::min(watched_until, due.begin()->first);
    if (watched_until == mono_time::max())
      sooner.wait(lock);
    else
      sooner.wait_for(lock, watched_until - now);
  }

  /// With the mutex held.
  void watch_at(mono_time moment) {
    if (moment < watched_until)
      sooner.notify_one();
  }

  static void work(const std::shared_ptr<shared>& self);
  static void watch(const std::shared_ptr<shared>& self);
  static void start(
    const std::shared_ptr<shared>& self, void (*loop)(const std::shared_ptr<shared>&));

  std::mutex mutex;
  std::condition_variable added;  ///< for the worker
  std::condition_variable sooner; ///< for the watcher
  std::condition_variable ended;  ///< for the destructor
  /// When the watcher looks by itself.
  mono_time watched_until = mono_time::max();
  post_function post;
  std::deque<std::shared_ptr<entry>> waiting;
  deadlines due;
  /// Made, and not to be answered before; in the order of their calls where they are equal.
  std::multimap<mono_time, std::pair<std::shared_ptr<entry>, task>> held;
  int threads = 0;
  /// Also read by posted tasks, on the loop's thread, where the destructor sets it.
  std::atomic<bool> closed{false};
};

void call_queue::shared::work(const std::shared_ptr<shared>& self) {
  std::unique_lock lock(self->mutex);
  for (;;) {
    self->added.wait(lock, [&] { return self->closed || !self->waiting.empty(); });
    if (self->closed)
      return;
    const auto next = self->waiting.front();
    self->waiting.pop_front();
    if (next->answered)
      continue;
    lock.unlock();
    auto answer = next->made.run();
    const auto not_before = next->made.not_before ? next->made.not_before() : mono_time{};
    lock.lock();
    if (not_before <= monotonic_now()) {
      self->answer(self, *next, std::move(answer));
    } else if (!self->closed) {
      self->held.emplace(not_before, std::pair{next, std::move(answer)});
      self->watch_at(not_before);
    }
  }
}

void call_queue::shared::watch(const std::shared_ptr<shared>& self) {
  std::unique_lock lock(self->mutex);
  while (!self->closed) {
    const auto now = monotonic_now();
    if (!self->held.empty() && self->held.begin()->first <= now) {
      auto [which, done] = std::move(self->held.begin()->second);
      self->held.erase(self->held.begin());
      self->answer(self, *which, std::move(done));
    } else if (!self->due.empty() && self->due.begin()->first <= now) {
      const auto late = self->due.begin()->second;
      self->answer(self, *late, late->made.time_out());
    } else {
      self->wait_for_next(lock, now);
    }
  }
}

void call_queue::shared::start(
  const std::shared_ptr<shared>& self, void (*loop)(const std::shared_ptr<shared>&)) {
  ++self->threads;
  std::thread([self, loop] {
    loop(self);
    const std::lock_guard lock(self->mutex);
    --self->threads;
    self->ended.notify_all();
  }).detach();
}

call_queue::call_queue(post_function post) : shared_(std::make_shared<shared>(std::move(post))) {
  const std::lock_guard lock(shared_->mutex);
  shared::start(shared_, shared::work);
  shared::start(shared_, shared::watch);
}

call_queue::~call_queue() {
  std::unique_lock lock(shared_->mutex);
  shared_->closed = true;
  shared_->waiting.clear();
  shared_->due.clear();
  shared_->held.clear();
  shared_->added.notify_all();
  shared_->sooner.notify_all();
  shared_->ended.wait_for(lock, patience, [&] { return shared_->threads == 0; });
}

void call_queue::add(call made, nanoseconds deadline) {
  const auto next = std::make_shared<shared::entry>(shared::entry{std::move(made), false, {}});
  const std::lock_guard lock(shared_->mutex);
  shared_->waiting.push_back(next);
  next->deadline = shared_->due.emplace(monotonic_now() + deadline, next);
  shared_->added.notify_one();
  shared_->watch_at(next->deadline->first);
}

} // namespace drover
