// The writer's promise: who reports an event, inside a pause above all, never waits for the disk.
#include "runtime/journal/journal_writer.hpp"

#include "tests/runtime/journal/journal_samples.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

using namespace drover;
using namespace drover::testing;

namespace {

/// Stands still until it is let go, and gives up after a while, so that who waits for it is found.
class slow_journal final : public journal {
public:
  explicit slow_journal(std::shared_future<void> go) : go_(std::move(go)) {}

  result<std::string> begin(
    const std::string&, journal_run, const std::vector<journal_vm>&) override {
    return std::string{"run"};
  }
  result<done> write(const std::string&, const std::vector<journal_change>& changes) override {
    entered = true;
    gave_up = gave_up || go_.wait_for(std::chrono::seconds{20}) == std::future_status::timeout;
    by_thread = std::this_thread::get_id();
    ++commits;
    if (refuses)
      return fail(errc::refused, "the disk is full");
    written.insert(written.end(), changes.begin(), changes.end());
    return done{};
  }
  result<std::vector<journal_run>> runs() override { return fail(errc::bug, "not asked"); }
  result<journal_run> run(const std::string&) override { return fail(errc::bug, "not asked"); }
  result<std::vector<journal_vm>> vms(const std::string&) override {
    return fail(errc::bug, "not asked");
  }
  result<std::vector<journal_event>> events(const std::string&) override {
    return fail(errc::bug, "not asked");
  }

  std::atomic<bool> entered{false};
  std::atomic<bool> gave_up{false};
  std::atomic<bool> refuses{false};
  std::atomic<int> commits{0};
  std::thread::id by_thread;
  std::vector<journal_change> written;

private:
  std::shared_future<void> go_;
};

trace_event mark(const char* what) {
  return {at_s(1), pause_mark{vm_id{100}, epoch{3}, node_id{"n1"}, what, at_s(1)}};
}

trace_event phase(const char* from, const char* to) {
  return {at_s(1), phase_changed{vm_id{100}, epoch{3}, from, to}};
}

} // namespace

TEST_CASE("nothing of a pause waits for the journal, however long that takes", "[contract]") {
  std::promise<void> go;
  auto slow = std::make_shared<slow_journal>(go.get_future().share());
  journal_writer writer{slow, [](const error&) {}};
  writer.follow("run", {some_vm(100)});
  std::promise<void> begun;
  writer.write_ahead(vm_id{100}, at_s(1), [&begun] { begun.set_value(); });
  while (!slow->entered)
    std::this_thread::yield(); // The disk stands still from here on.
  for (const auto& event :
       {phase("queued", "streaming"), mark("source_stopped"), mark("target_loaded"),
        mark("source_completed"), phase("streaming", "taking_over"), mark("resumed"),
        phase("taking_over", "claiming")})
    writer.take(event); // Returns, although the journal does not.
  auto ahead = begun.get_future();
  CHECK(ahead.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
  go.set_value();
  ahead.wait();
  writer.close();
  CHECK_FALSE(slow->gave_up);
  CHECK(slow->by_thread != std::this_thread::get_id());
  REQUIRE(slow->written.size() == 1 + 7 + 3);
  CHECK(std::get<journal_vm>(slow->written.front()).phase == "begun");
  CHECK(std::get<journal_vm>(slow->written.back()).phase == "claiming");
}

TEST_CASE("what several VMs begin with goes to the disk in few commits", "[contract]") {
  std::promise<void> go;
  auto slow = std::make_shared<slow_journal>(go.get_future().share());
  journal_writer writer{slow, [](const error&) {}};
  std::vector<journal_vm> vms;
  for (std::uint32_t i = 0; i < 200; ++i)
    vms.push_back(some_vm(100 + i, i));
  writer.follow("run", vms);
  std::atomic<int> told{0};
  writer.write_ahead(vm_id{100}, at_s(1), [&told] { ++told; });
  while (!slow->entered)
    std::this_thread::yield();
  for (std::uint32_t i = 1; i < 200; ++i)
    writer.write_ahead(vm_id{100 + i}, at_s(1), [&told] { ++told; });
  go.set_value();
  writer.close();
  CHECK(told == 200);
  CHECK(slow->commits == 2);
}

TEST_CASE("a journal that fails is told of once, and nobody is kept waiting", "[contract]") {
  std::promise<void> go;
  go.set_value();
  auto slow = std::make_shared<slow_journal>(go.get_future().share());
  slow->refuses = true;
  std::atomic<int> complaints{0};
  journal_writer writer{slow, [&complaints](const error&) { ++complaints; }};
  writer.follow("run", {some_vm(100), some_vm(101)});
  for (const auto vm : {100U, 101U}) {
    std::promise<void> told;
    writer.write_ahead(vm_id{vm}, at_s(1), [&told] { told.set_value(); });
    told.get_future().wait();
  }
  const auto refused = writer.write(wish_changed{run_wish::pause});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK(complaints == 1);
  slow->refuses = false; // Somebody has made room.
  CHECK(writer.write(wish_changed{run_wish::pause}));
  writer.close();
  CHECK_FALSE(writer.write(wish_changed{run_wish::go_on}));
}

TEST_CASE("before a run is followed nothing is kept, and nothing waits", "[contract]") {
  std::promise<void> go;
  go.set_value();
  auto slow = std::make_shared<slow_journal>(go.get_future().share());
  journal_writer writer{slow, [](const error&) {}};
  writer.take(mark("resumed"));
  bool told = false;
  writer.write_ahead(vm_id{100}, at_s(1), [&told] { told = true; });
  CHECK(told);
  writer.close();
  CHECK(slow->commits == 0);
}
