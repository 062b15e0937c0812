#include "runtime/store/call_queue.hpp"

#include "tests/contracts/store_rig.hpp"

#include <atomic>
#include <future>

namespace drover {
namespace {

using contracts::task_loop;

/// What the loop ran, in order.
struct journal {
  std::vector<std::string> lines;

  call_queue::call entry(
    const std::string& name, std::function<void()> job = [] {}) {
    return {
      [this, name, job = std::move(job)]() -> call_queue::task {
        job();
        return [this, name] { lines.push_back(name); };
      },
      [this, name]() -> call_queue::task {
        return [this, name] { lines.push_back(name + " late"); };
      }};
  }
};

void step_until(task_loop& loop, const journal& seen, std::size_t count) {
  const auto give_up = monotonic_now() + contracts::longest_wait;
  while (seen.lines.size() < count) {
    REQUIRE(monotonic_now() < give_up);
    loop.step();
  }
}

constexpr milliseconds long_deadline{20'000};
constexpr milliseconds short_deadline{50};

} // namespace

TEST_CASE("calls are answered in their order, by the loop") {
  task_loop loop;
  journal seen;
  call_queue queue(loop.post());
  for (const char* name : {"a", "b", "c"})
    queue.add(seen.entry(name), long_deadline);
  CHECK(seen.lines.empty());
  step_until(loop, seen, 3);
  CHECK(seen.lines == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("an answer that is held does not hold up the calls behind it") {
  task_loop loop;
  journal seen;
  call_queue queue(loop.post());
  const auto until = monotonic_now() + milliseconds{100};
  auto held = seen.entry("held");
  held.not_before = [until] { return until; };
  auto too_late = seen.entry("never");
  too_late.not_before = [until] { return until + std::chrono::hours{1}; };
  queue.add(std::move(held), long_deadline);
  queue.add(std::move(too_late), milliseconds{300});
  queue.add(seen.entry("behind"), long_deadline);
  step_until(loop, seen, 2);
  CHECK(monotonic_now() >= until);
  step_until(loop, seen, 3);
  CHECK(seen.lines == std::vector<std::string>{"behind", "held", "never late"});
}

TEST_CASE("a call that hangs is answered late, those behind it too, and then work goes on") {
  task_loop loop;
  journal seen;
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<bool> second_was_made{false};
  call_queue queue(loop.post());
  queue.add(seen.entry("hangs", [released] { released.wait(); }), short_deadline);
  queue.add(seen.entry("behind", [&] { second_was_made = true; }), short_deadline);
  step_until(loop, seen, 2);
  CHECK(seen.lines == std::vector<std::string>{"hangs late", "behind late"});

  queue.add(seen.entry("next"), long_deadline);
  release.set_value();
  step_until(loop, seen, 3);
  CHECK(seen.lines.back() == "next");
  CHECK(seen.lines.size() == 3);
  // What was answered as late before its turn is never carried out afterwards.
  CHECK_FALSE(second_was_made);
}

TEST_CASE("the shortest deadline is kept whatever the order of the calls") {
  task_loop loop;
  journal seen;
  std::promise<void> release;
  const auto released = release.get_future().share();
  call_queue queue(loop.post());
  queue.add(seen.entry("patient", [released] { released.wait(); }), long_deadline);
  queue.add(seen.entry("hasty"), short_deadline);
  step_until(loop, seen, 1);
  CHECK(seen.lines.front() == "hasty late");
  release.set_value();
  step_until(loop, seen, 2);
  CHECK(seen.lines.back() == "patient");
}

TEST_CASE("a queue goes although a call hangs, and nothing runs afterwards") {
  task_loop loop;
  journal seen;
  std::promise<void> release;
  std::promise<void> left;
  const auto released = release.get_future().share();
  const auto begun = monotonic_now();
  {
    std::promise<void> entered;
    call_queue queue(loop.post());
    queue.add(
      seen.entry(
        "hangs",
        [&] {
          entered.set_value();
          released.wait();
          left.set_value();
        }),
      long_deadline);
    queue.add(seen.entry("behind"), long_deadline);
    entered.get_future().wait();
  }
  CHECK(monotonic_now() - begun < std::chrono::seconds(10));
  release.set_value();
  left.get_future().wait();
  for (int round = 0; round < 5; ++round)
    loop.step();
  CHECK(seen.lines.empty());
}

TEST_CASE("an answer that waits in the loop when the queue goes is not run") {
  task_loop loop;
  journal seen;
  {
    call_queue queue(loop.post());
    std::promise<void> made;
    queue.add(seen.entry("a", [&] { made.set_value(); }), long_deadline);
    made.get_future().wait();
  }
  loop.step();
  CHECK(seen.lines.empty());
}

} // namespace drover
