// The failure table of simulated QEMUs, a case per row: what each side ends in, and who runs.
#include "tests/runtime/hypervisor/sim_bench.hpp"

namespace drover::test {

using wire::run_state;
using wire::stream_end;

namespace {

struct ends {
  std::string source; ///< the end that its driver heard; empty = none
  std::string target;
  bool operator==(const ends&) const = default;
};

std::string end_heard(const event_log& log) {
  for (const auto* word : {"completed", "failed", "cancelled"})
    if (log.has(word))
      return word;
  return {};
}

ends ends_of(sim_bench& b) { return {end_heard(b.heard(b.source)), end_heard(b.heard(b.target))}; }

std::ostream& operator<<(std::ostream& out, const ends& e) {
  return out << "source " << e.source << ", target " << e.target;
}

constexpr milliseconds settled{1000};

void check_source_runs_alone(sim_bench& b) {
  CHECK(b.runs(b.source));
  CHECK_FALSE(b.runs(b.target));
  CHECK(b.copy(b.source)->memory == b.machines.newest_memory(b.vm));
}

/// In the switchover, after the last byte.
void run_to_loading(sim_bench& b) {
  b.run_to("n1 100 stopped");
  b.run_for(milliseconds{110});
  REQUIRE_FALSE(b.changed("n2 100 loaded"));
}

} // namespace

TEST_CASE("a stream that nothing breaks: stopped, loaded, completed, and then one copy runs") {
  sim_bench b;
  b.begin_move();
  b.run_to("n1 100 completed");
  b.run_for(milliseconds{1});
  CHECK(ends_of(b) == ends{"completed", "completed"});
  CHECK(b.copy(b.source)->state == run_state::postmigrate);
  CHECK(b.copy(b.target)->state == run_state::incoming);
  CHECK(b.copy(b.target)->continuable);
  CHECK(b.copy(b.target)->memory == b.copy(b.source)->memory);
  REQUIRE(b.resume(b.vm, b.target));
  CHECK(b.runs(b.target));
  CHECK(b.copy(b.target)->memory == b.copy(b.source)->memory + 1);
  CHECK(
    b.changes ==
    std::vector<std::string>{
      "n2 100 started", "n1 100 stopped", "n2 100 loaded", "n1 100 completed", "n2 100 running"});
}

TEST_CASE("nobody listens: nothing is streamed and the source runs on") {
  sim_bench b;
  b.begin_move({}, run_state::paused);
  const auto gone = b.stream(vm_id{101}, b.source, 7, {"n2", 1, "x"});
  CHECK(sim_bench::code_of(gone) == "conflict");
  b.put(vm_id{101}, b.source);
  b.attach_all();
  CHECK(sim_bench::code_of(b.stream(vm_id{101}, b.source, 7, {"n2", 1, "x"})) == "retry");
  CHECK(sim_bench::code_of(b.stream(vm_id{101}, b.source, 7, {"nowhere", 1, "x"})) == "retry");
  CHECK(b.at(b.source).find(vm_id{101})->state == run_state::running);
}

TEST_CASE("a door closes with its agent, and a new agent can open another") {
  sim_bench b;
  b.put(b.vm, b.source);
  b.attach_all();
  REQUIRE(b.receive(b.vm, b.target, 7) == "ok");
  const auto door = b.open_door(b.vm, b.target, 7);
  b.reopen(b.target);
  CHECK(sim_bench::code_of(b.stream(b.vm, b.source, 7, *door)) == "retry");
  b.attach_all();
  const auto other = b.open_door(b.vm, b.target, 7);
  REQUIRE(other);
  CHECK(sim_bench::code_of(b.stream(b.vm, b.source, 7, *other)) == "ok");
}

TEST_CASE("the target is killed while memory is copied: the source fails and runs on") {
  sim_bench b;
  b.begin_move();
  CHECK(b.machines.kill_receiver(b.vm));
  b.run_for(settled);
  CHECK(ends_of(b) == ends{"failed", "failed"});
  CHECK_FALSE(b.heard(b.source).has("stopped"));
  CHECK_FALSE(b.copy(b.target));
  check_source_runs_alone(b);
}

TEST_CASE("the target is killed in the switchover: the source fails and runs on by itself") {
  sim_bench b;
  b.begin_move();
  SECTION("while the rest is sent") { b.run_to("n1 100 stopped"); }
  SECTION("while it loads") { run_to_loading(b); }
  CHECK_FALSE(b.runs(b.source));
  CHECK(b.copy(b.source)->continuable);
  CHECK(b.machines.kill(b.target, b.vm));
  b.run_for(settled);
  CHECK(ends_of(b) == ends{"failed", "failed"});
  CHECK(b.heard(b.source).has("resumed"));
  check_source_runs_alone(b);
}

TEST_CASE("the target is killed when it has sent its acknowledgement: the source completes") {
  sim_bench b;
  b.begin_move();
  b.run_to("n2 100 loaded");
  CHECK(b.machines.kill_receiver(b.vm));
  b.run_for(settled);
  CHECK(b.copy(b.source)->state == run_state::postmigrate);
  CHECK(end_heard(b.heard(b.source)) == "completed");
}

TEST_CASE("the target is killed after both have completed: the source waits and can go on") {
  sim_bench b;
  b.begin_move();
  b.run_to("n1 100 completed");
  CHECK(b.machines.kill_receiver(b.vm));
  b.run_for(settled);
  CHECK(b.copy(b.source)->state == run_state::postmigrate);
  CHECK_FALSE(b.runs(b.source));
  CHECK(b.copy(b.source)->continuable);
  REQUIRE(b.resume(b.vm, b.source));
  check_source_runs_alone(b);
}

TEST_CASE("the source is killed before the target has everything: the target dies with it") {
  sim_bench b;
  b.begin_move();
  SECTION("while memory is copied") { b.run_for(milliseconds{100}); }
  SECTION("while the rest is sent") { b.run_to("n1 100 stopped"); }
  SECTION("while the target loads") { run_to_loading(b); }
  CHECK(b.machines.kill(b.source, b.vm));
  b.run_for(settled);
  CHECK(b.machines.copies(b.vm).empty());
  CHECK(b.heard(b.source).has("exit"));
  CHECK(b.heard(b.target).has("exit"));
  CHECK(ends_of(b) == ends{"", "failed"});
}

TEST_CASE("the source is killed after the target has loaded: the target can go on") {
  sim_bench b;
  b.begin_move();
  SECTION("before the acknowledgement") { b.run_to("n2 100 loaded"); }
  SECTION("after it") { b.run_to("n1 100 completed"); }
  CHECK(b.machines.kill(b.source, b.vm));
  b.run_for(settled);
  CHECK(b.copy(b.target)->state == run_state::incoming);
  CHECK(b.copy(b.target)->continuable);
  CHECK(end_heard(b.heard(b.target)) == "completed");
  REQUIRE(b.resume(b.vm, b.target));
  CHECK(b.runs(b.target));
}

TEST_CASE("a cut fails the source, which runs on, and ends the target") {
  sim_bench b;
  b.begin_move();
  SECTION("while memory is copied") { b.run_for(milliseconds{100}); }
  SECTION("while the rest is sent") { b.run_to("n1 100 stopped"); }
  const auto& end = GENERATE(from_range(std::vector<std::string>{"n1", "n2"}));
  b.machines.cut_streams(node_id{end});
  b.run_for(settled);
  CHECK(ends_of(b) == ends{"failed", "failed"});
  CHECK_FALSE(b.copy(b.target));
  check_source_runs_alone(b);
}

TEST_CASE("a cut after the last byte: the target loads it all, and its source runs already") {
  sim_bench b;
  b.begin_move();
  run_to_loading(b);
  b.machines.cut_streams(b.source);
  b.run_for(settled);
  CHECK(ends_of(b) == ends{"failed", "completed"});
  CHECK(b.copy(b.target)->state == run_state::incoming);
  check_source_runs_alone(b);
  // What the target holds is the past.
  CHECK(b.copy(b.target)->memory < b.machines.newest_memory(b.vm));
  REQUIRE(b.resume(b.vm, b.target));
  CHECK(b.copy(b.target)->memory < b.machines.newest_memory(b.vm));
}

TEST_CASE("a source that left its stream can stream again while the old target still loads") {
  auto settings = wide_settings();
  settings.load = exactly(std::chrono::seconds{1});
  sim_bench b(settings);
  b.begin_move();
  REQUIRE(b.receive(b.vm, node_id{"n3"}, 8) == "ok");
  const auto door = b.open_door(b.vm, node_id{"n3"}, 8);
  run_to_loading(b);
  b.machines.cut_streams(b.source);
  b.run_for(milliseconds{1});
  REQUIRE(b.stream(b.vm, b.source, 8, *door));
  REQUIRE_FALSE(b.changed("n2 100 loaded"));
  b.run_to("n2 100 loaded");
  REQUIRE_FALSE(b.changed("n3 100 loaded"));
  // Its new stream is still its own, whatever became of the old one.
  CHECK(b.cancel(b.vm, b.source, 8) == "refused");
  b.run_to("n1 100 completed");
  b.run_for(settled);
  CHECK(b.at(b.source).stream_outcome(b.vm, epoch{8})->end == stream_end::completed);
}

TEST_CASE("a cut while the acknowledgement is on its way, or one that is lost") {
  sim_bench b;
  SECTION("cut") {
    b.begin_move();
    b.run_to("n2 100 loaded");
    b.machines.cut_streams(b.target);
  }
  SECTION("lost") {
    b.machines.lose_acknowledgement(b.vm);
    b.begin_move();
  }
  b.run_to("n1 100 failed");
  b.run_for(settled);
  CHECK(ends_of(b) == ends{"failed", "completed"});
  CHECK(b.heard(b.source).has("resumed"));
  CHECK(b.copy(b.target)->state == run_state::incoming);
  check_source_runs_alone(b);
  CHECK_FALSE(b.changed("n1 100 completed"));
}

TEST_CASE("one acknowledgement is lost, and the next stream's is not") {
  sim_bench b;
  b.machines.lose_acknowledgement(b.vm);
  b.begin_move();
  b.run_to("n1 100 failed");
  b.move_on(b.vm, b.source, node_id{"n3"}, 8);
  b.run_to("n1 100 completed");
}

TEST_CASE("a stall tells nobody anything, and the stream goes on after it") {
  sim_bench b;
  b.begin_move();
  SECTION("while memory is copied") { b.run_for(milliseconds{100}); }
  SECTION("while the rest is sent") { b.run_to("n1 100 stopped"); }
  SECTION("while the acknowledgement is on its way") { b.run_to("n2 100 loaded"); }
  const auto before = b.changes;
  const auto progress = b.heard(b.source).progress.size();
  const auto begin = b.queue.now();
  b.machines.stall_streams(b.target, std::chrono::seconds{60});
  b.run_for(std::chrono::seconds{59});
  CHECK(b.changes == before);
  CHECK(b.heard(b.source).progress.size() == progress);
  CHECK(end_heard(b.heard(b.source)).empty());
  b.run_to("n1 100 completed");
  CHECK(b.queue.now() - begin >= std::chrono::seconds{60});
  CHECK(b.queue.now() - begin < std::chrono::seconds{62});
}

TEST_CASE("the end of one side comes through a stall when it is over") {
  sim_bench b;
  b.begin_move();
  SECTION("while memory is copied") { b.run_for(milliseconds{100}); }
  SECTION("while the rest is sent") { b.run_to("n1 100 stopped"); }
  b.machines.stall_streams(b.source, std::chrono::seconds{10});
  b.machines.kill(b.target, b.vm);
  b.run_for(std::chrono::seconds{9});
  CHECK(ends_of(b) == ends{"", "failed"});
  b.run_for(std::chrono::seconds{2});
  CHECK(ends_of(b) == ends{"failed", "failed"});
  check_source_runs_alone(b);
}

TEST_CASE("a stream is cancelled before the switchover: the source runs on, the target is gone") {
  sim_bench b;
  b.begin_move();
  CHECK(b.cancel(b.vm, b.source, 7) == "ok");
  b.run_for(settled);
  CHECK(ends_of(b) == ends{"cancelled", "failed"});
  CHECK_FALSE(b.copy(b.target));
  check_source_runs_alone(b);
}

TEST_CASE("a stream is not cancelled once the source has stopped") {
  sim_bench b;
  b.begin_move();
  SECTION("asked after it stopped") { b.run_to("n1 100 stopped"); }
  SECTION("it stops before QEMU is asked") {
    b.machines.slow_down(b.source, 10'000);
    b.run_for(milliseconds{500});
  }
  CHECK(b.cancel(b.vm, b.source, 7) == "refused");
  b.run_to("n1 100 completed");
}

TEST_CASE("a stream that is cancelled before it begins leaves no receiver") {
  sim_bench b;
  b.put(b.vm, b.source);
  b.attach_all();
  REQUIRE(b.receive(b.vm, b.target, 7) == "ok");
  const auto door = b.open_door(b.vm, b.target, 7);
  b.machines.slow_down(b.target, 1000);
  std::optional<result<done>> begun;
  b.at(b.source).stream(b.vm, epoch{7}, *door, {}, [&](const auto& given) { begun = given; });
  SECTION("before the knock") {
    CHECK(b.cancel(b.vm, b.source, 7) == "ok");
    b.run_for(settled);
    CHECK(b.copy(b.target)->state == run_state::incoming);
  }
  SECTION("after it") {
    b.run_for(milliseconds{5});
    REQUIRE_FALSE(begun);
    CHECK(b.cancel(b.vm, b.source, 7) == "ok");
    b.run_for(settled);
    CHECK_FALSE(b.copy(b.target));
  }
  REQUIRE(begun);
  CHECK(sim_bench::code_of(*begun) == "refused");
  CHECK(b.at(b.source).stream_outcome(b.vm, epoch{7})->end == stream_end::cancelled);
  CHECK_FALSE(b.changed("n1 100 cancelled"));
  check_source_runs_alone(b);
}

TEST_CASE("what breaks while the ends set up streams nothing") {
  sim_bench b;
  b.put(b.vm, b.source);
  b.attach_all();
  REQUIRE(b.receive(b.vm, b.target, 7) == "ok");
  const auto door = b.open_door(b.vm, b.target, 7);
  b.machines.slow_down(b.target, 1000);
  std::optional<result<done>> begun;
  b.at(b.source).stream(b.vm, epoch{7}, *door, {}, [&](const auto& given) { begun = given; });
  b.run_for(milliseconds{5});
  SECTION("the receiver dies") { b.machines.kill_receiver(b.vm); }
  SECTION("the connection is cut") { b.machines.cut_streams(b.source); }
  SECTION("the target's host dies") { b.machines.kill_node(b.target); }
  b.run_for(settled);
  REQUIRE(begun);
  CHECK(sim_bench::code_of(*begun) == "retry");
  CHECK_FALSE(b.copy(b.target));
  CHECK(b.heard(b.source).has("failed"));
  CHECK_FALSE(b.changed("n1 100 failed"));
  check_source_runs_alone(b);
}

TEST_CASE("the source's agent dies before the stream began: the receiver goes, the VM runs on") {
  sim_bench b;
  b.put(b.vm, b.source);
  b.attach_all();
  REQUIRE(b.receive(b.vm, b.target, 7) == "ok");
  const auto door = b.open_door(b.vm, b.target, 7);
  b.machines.slow_down(b.target, 1000);
  b.at(b.source).stream(b.vm, epoch{7}, *door, {}, [](const auto&) { FAIL("it is gone"); });
  b.run_for(milliseconds{5});
  b.reopen(b.source);
  b.attach_all();
  b.run_for(settled);
  CHECK_FALSE(b.copy(b.target));
  check_source_runs_alone(b);
  CHECK(b.at(b.source).stream_outcome(b.vm, epoch{7})->end == stream_end::failed);
}

} // namespace drover::test
