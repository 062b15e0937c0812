// Faults of simulated nodes, restarts of their drivers, and what a checker is shown.
#include "tests/runtime/hypervisor/sim_bench.hpp"

namespace drover::test {

using wire::run_state;
using wire::stream_end;

namespace {

constexpr milliseconds settled{1000};

} // namespace

TEST_CASE("a node that refuses to receive does so as often as it is told") {
  sim_bench b;
  b.attach_all();
  b.machines.refuse_receive(b.target, 1, "no hugepages");
  const auto refused = b.ask<machine_status>(
    [&](auto reply) { b.at(b.target).receive(b.vm, epoch{7}, b.config(b.vm), reply); });
  CHECK(sim_bench::code_of(refused) == "refused");
  CHECK_THAT(refused.error().what, Catch::Contains("no hugepages"));
  CHECK(b.at(b.target).list().empty());
  CHECK_FALSE(b.heard(b.target).has("exit"));
  CHECK(b.receive(b.vm, b.target, 8) == "ok");
}

TEST_CASE("a host dies with its QEMUs, silently, and its streams break") {
  sim_bench b;
  b.begin_move();
  b.put(vm_id{101}, b.target);
  SECTION("the target's") {
    b.machines.kill_node(b.target);
    b.run_for(settled);
    CHECK(b.heard(b.source).has("failed"));
    CHECK(b.runs(b.source));
    CHECK(b.machines.copies(vm_id{101}).empty());
    CHECK(b.heard(b.target).entries.empty());
  }
  SECTION("the source's") {
    b.machines.kill_node(b.source);
    b.run_for(settled);
    CHECK(b.machines.copies(b.vm).empty());
    CHECK(b.heard(b.target).has("failed"));
    CHECK(b.heard(b.source).entries.empty());
  }
}

TEST_CASE("a driver of a dead host answers nothing, and one of the rebooted host finds nothing") {
  sim_bench b;
  b.put(b.vm, b.source);
  b.attach_all();
  bool answered = false;
  b.at(b.source).facts(b.vm, [&](const auto&) { answered = true; });
  b.machines.kill_node(b.source);
  b.at(b.source).start(vm_id{101}, b.config(vm_id{101}), [&](const auto&) { answered = true; });
  b.at(b.source).quit(b.vm, [&](const auto&) { answered = true; });
  b.run_for(settled);
  CHECK_FALSE(answered);
  CHECK(b.machines.copies().empty());
  b.reopen(b.source);
  b.attach_all();
  CHECK(b.at(b.source).list().empty());
}

TEST_CASE("a slow node takes longer for every command and start") {
  sim_machine_settings settings;
  settings.command = exactly(milliseconds{1});
  settings.start = exactly(milliseconds{30});
  sim_bench b(settings);
  b.machines.slow_down(b.source, 10);
  const auto begin = b.queue.now();
  REQUIRE(
    b.ask<machine_status>([&](auto reply) { b.at(b.source).start(b.vm, b.config(b.vm), reply); }));
  CHECK(b.queue.now() - begin == milliseconds{300});
  REQUIRE(b.ask<wire::machine_facts>([&](auto reply) { b.at(b.source).facts(b.vm, reply); }));
  CHECK(b.queue.now() - begin == milliseconds{310});
}

TEST_CASE("a driver that is destroyed answers and tells nothing more, and its QEMUs live on") {
  sim_bench b;
  b.attach_all();
  b.at(b.source).start(b.vm, b.config(b.vm), [](const auto&) { FAIL("it is gone"); });
  b.close(b.source);
  b.run_to("n1 100 started");
  CHECK(b.runs(b.source));
  b.open(b.source);
  CHECK(b.at(b.source).list().empty());
  b.attach_all();
  CHECK(b.at(b.source).find(b.vm)->state == run_state::running);
}

TEST_CASE("a driver may be destroyed by whoever it tells of an end") {
  sim_bench b;
  b.begin_move();
  b.at(b.source).quit(b.vm, [&](const auto&) { b.close(b.source); });
  b.at(b.source).kill(b.vm, [](const auto&) { FAIL("it is gone"); });
  b.run_for(settled);
  CHECK(b.machines.copies(b.vm).empty());
}

TEST_CASE("an agent that comes back while QEMU starts waits for it") {
  sim_bench b;
  b.at(b.target).receive(b.vm, epoch{7}, b.config(b.vm), [](const auto&) {});
  b.reopen(b.target);
  const auto found =
    b.ask<std::vector<machine_status>>([&](auto reply) { b.at(b.target).attach(reply); });
  REQUIRE(found);
  CHECK(b.changed("n2 100 started"));
  CHECK(*found == std::vector{machine_status{b.vm, run_state::incoming, epoch{7}}});
  CHECK(b.open_door(b.vm, b.target, 7));
}

TEST_CASE("what ended while no agent was there is told by attach") {
  sim_bench b;
  b.begin_move();
  b.close(b.source);
  SECTION("it failed") {
    b.machines.kill(b.target, b.vm);
    b.run_for(settled);
    b.open(b.source);
    b.heard(b.source) = {};
    b.attach_all();
    b.run_for(settled);
    CHECK(b.heard(b.source).has("failed"));
    CHECK(b.at(b.source).find(b.vm)->state == run_state::running);
  }
  SECTION("it completed") {
    b.run_to("n1 100 completed");
    b.open(b.source);
    b.heard(b.source) = {};
    b.attach_all();
    b.run_for(settled);
    CHECK(b.heard(b.source).has("completed"));
    CHECK(b.at(b.source).find(b.vm)->state == run_state::postmigrate);
  }
  REQUIRE(b.heard(b.source).entries.size() == 1);
}

TEST_CASE("a paused guest stays paused: no stop is told, and neither copy runs by itself") {
  sim_bench b;
  b.begin_move({}, run_state::paused);
  CHECK_FALSE(b.runs(b.source));
  CHECK(b.copy(b.source)->continuable);
  SECTION("it moves") {
    b.run_to("n1 100 completed");
    b.run_for(settled);
    CHECK(b.copy(b.target)->state == run_state::incoming);
    CHECK(b.copy(b.target)->continuable);
  }
  SECTION("its stream breaks in the switchover") {
    b.machines.lose_acknowledgement(vm_id{1}); // another VM's
    b.run_to("n2 100 loaded");
    b.machines.cut_streams(b.source);
    b.run_for(settled);
    CHECK(b.heard(b.source).has("failed"));
    CHECK(b.copy(b.source)->state == run_state::paused);
  }
  CHECK_FALSE(b.heard(b.source).has("stopped"));
  CHECK_FALSE(b.heard(b.source).has("resumed"));
  CHECK_FALSE(b.runs(b.source));
  CHECK_FALSE(b.runs(b.target));
  CHECK(b.machines.newest_memory(b.vm) == 0);
}

TEST_CASE("a copy that is let run with an old memory shows that it is behind") {
  sim_bench b;
  b.begin_move();
  CHECK(b.machines.newest_memory(b.vm) == 1);
  b.run_to("n1 100 completed");
  REQUIRE(b.resume(b.vm, b.target));
  CHECK(b.machines.newest_memory(b.vm) == 2);
  REQUIRE(b.resume(b.vm, b.source));
  CHECK(b.copy(b.source)->memory == 1);
  CHECK(b.machines.newest_memory(b.vm) == 2);
  CHECK(b.runs(b.source));
  CHECK(b.runs(b.target));
}

TEST_CASE("resume of a source in its switchover waits for the decision") {
  sim_bench b;
  b.begin_move();
  b.run_to("n1 100 stopped");
  const auto resumed = b.resume(b.vm, b.source);
  REQUIRE(resumed);
  CHECK(b.changed("n1 100 completed"));
}

TEST_CASE(
  "QEMU refuses the stream of a machine that differs, and takes some differences silently") {
  sim_bench b;
  b.put(b.vm, b.source);
  b.attach_all();
  const auto with = [&](const std::string& config) {
    REQUIRE(b.ask<machine_status>(
      [&](auto reply) { b.at(b.target).receive(b.vm, epoch{7}, config, reply); }));
    const auto door = b.open_door(b.vm, b.target, 7);
    REQUIRE(b.stream(b.vm, b.source, 7, *door));
    b.run_for(std::chrono::seconds{10});
  };
  SECTION("another memory size: at once") {
    with(b.config(b.vm, 128));
    CHECK_FALSE(b.heard(b.source).has("stopped"));
    CHECK_THAT(b.heard(b.source).find("failed")->reason, Catch::Contains("Size mismatch"));
    CHECK(b.runs(b.source));
    CHECK_FALSE(b.copy(b.target));
  }
  SECTION("another display: when the devices come, and the source runs on by itself") {
    with(b.config(b.vm) + "vga: cirrus\n");
    CHECK(b.heard(b.source).has("stopped"));
    CHECK_THAT(b.heard(b.source).find("failed")->reason, Catch::Contains("Unknown savevm"));
    CHECK(b.runs(b.source));
    CHECK_FALSE(b.copy(b.target));
  }
  SECTION("another CPU model: silently") {
    with(b.config(b.vm) + "cpu: max\n");
    CHECK(b.heard(b.source).has("completed"));
  }
}

TEST_CASE("whoever hears of a change may break things at once") {
  const auto& at = GENERATE(from_range(std::vector<std::string>{
    "n1 100 stopped", "n2 100 loaded", "n1 100 completed", "n1 100 failed", "n2 100 gone"}));
  const auto how = GENERATE(0, 1, 2, 3);
  sim_bench b;
  b.begin_move();
  b.on_change = [&](const std::string& change) {
    if (change != at)
      return;
    if (how == 0)
      b.machines.kill_receiver(b.vm);
    if (how == 1)
      b.machines.kill(b.source, b.vm);
    if (how == 2)
      b.machines.cut_streams(b.target);
    if (how == 3)
      b.machines.kill_node(b.target);
  };
  b.run_for(std::chrono::seconds{10});
  if (at == "n1 100 failed" || at == "n2 100 gone")
    b.machines.kill_receiver(b.vm);
  b.run_for(std::chrono::seconds{10});
  CHECK_FALSE((b.runs(b.source) && b.runs(b.target)));
}

} // namespace drover::test
