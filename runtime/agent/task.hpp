// Coroutines for the agent: a step of the protocol reads from top to bottom although each line may
// wait for the store or for QEMU. Rule: everything runs on the loop's thread; a coroutine is owned
// by its caller, the outermost ones by a task_set, so that destroying the agent at any moment
// destroys what waits, and an answer that comes afterwards finds nobody and is dropped.
#pragma once

#include "runtime/base/error.hpp"

#include <coroutine>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace drover {

/// A coroutine that yields one T. It starts when it is awaited.
template <class T>
class [[nodiscard]] task {
public:
  struct promise_type;
  using handle = std::coroutine_handle<promise_type>;

  struct resume_caller {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(handle ended) const noexcept {
      return ended.promise().caller;
    }
    void await_resume() const noexcept {}
  };

  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> caller;

    task get_return_object() { return task{handle::from_promise(*this)}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    resume_caller final_suspend() const noexcept { return {}; }
    // Errors are values here; an exception is a broken invariant.
    void unhandled_exception() const noexcept { std::abort(); }
    template <class U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
  };

  task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  task& operator=(task&&) = delete;
  ~task() {
    if (handle_)
      handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    handle_.promise().caller = caller;
    return handle_;
  }
  T await_resume() { return std::move(*handle_.promise().value); }

private:
  explicit task(handle h) : handle_(h) {}
  handle handle_;
};

/// One answer that comes by callback. The question is asked before this is awaited, so several can
/// be under way; the first answer counts and later ones are dropped (an event and its timer).
template <class T>
class [[nodiscard]] pending {
public:
  pending() = default;
  pending(pending&&) noexcept = default;
  pending(const pending&) = delete;
  pending& operator=(const pending&) = delete;
  pending& operator=(pending&&) = delete;
  ~pending() {
    if (slot_)
      slot_->waiter = nullptr;
  }

  /// What the driver calls; holds no pointer to who waits.
  std::function<void(result<T>)> answer() const {
    return [slot = slot_](result<T> value) {
      if (slot->value)
        return;
      slot->value.emplace(std::move(value));
      if (auto waiter = std::exchange(slot->waiter, nullptr))
        waiter.resume();
    };
  }

  bool await_ready() const noexcept { return slot_->value.has_value(); }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { slot_->waiter = waiter; }
  result<T> await_resume() { return std::move(*slot_->value); }

private:
  struct slot {
    std::optional<result<T>> value;
    std::coroutine_handle<> waiter;
  };
  std::shared_ptr<slot> slot_ = std::make_shared<slot>();
};

/// Owns the outermost coroutines: each runs until it ends or until the set is destroyed.
class task_set {
public:
  task_set() = default;
  task_set(const task_set&) = delete;
  task_set& operator=(const task_set&) = delete;
  ~task_set() {
    while (!running_.empty()) {
      auto frame = std::coroutine_handle<>::from_address(*running_.begin());
      running_.erase(running_.begin());
      frame.destroy();
    }
  }

  /// Runs `work` up to its first wait, inside this call.
  void spawn(task<done> work) { run(*this, std::move(work)); }
  bool empty() const { return running_.empty(); }

private:
  struct root {
    struct promise_type {
      promise_type(task_set& set, task<done>&) : owner(set) {}
      ~promise_type() { owner.running_.erase(address()); }
      root get_return_object() {
        owner.running_.insert(address());
        return {};
      }
      void* address() { return std::coroutine_handle<promise_type>::from_promise(*this).address(); }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      std::suspend_never final_suspend() const noexcept { return {}; }
      void unhandled_exception() const noexcept { std::abort(); }
      void return_void() const noexcept {}

      task_set& owner;
    };
  };

  static root run(task_set&, task<done> work) { co_await std::move(work); }

  std::set<void*> running_;
};

} // namespace drover
