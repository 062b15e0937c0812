// Controller and agents die, and a recovery comes: each VM runs once in the end, at its owner, or
// the operator is told what is missing.
#include "tests/runtime/agent/recovery_rig.hpp"

using namespace drover;
using namespace drover::test;

namespace {

/// Everybody is gone at once; the QEMUs go on.
void everybody_dies(rig& world) {
  world.source.die();
  world.target.die();
}

void pause(rig& world) {
  auto& machine = world.source.machines.machines.at(vm);
  machine.state = wire::run_state::paused;
  machine.vcpus_run = false;
}

/// It has stayed, as it was: paused, at its owner, nothing open.
void check_stays_paused(rig& world) {
  CHECK(world.machines.violations.empty());
  CHECK(world.machines.running(vm) == 0);
  CHECK(world.owner() == n1);
  CHECK(world.config() == config_text(vm));
  CHECK(world.record().state == record_state::settled);
  CHECK_FALSE(world.target.machines.machines.contains(vm));
  const auto listed = world.source.ask(wire::list_vms{});
  REQUIRE(listed);
  REQUIRE(listed->vms.size() == 1);
  CHECK(listed->vms[0].state == wire::run_state::paused);
}

/// The node loses power: its QEMUs and its marks with it.
void dies_for_good(node_rig& node) {
  node.die();
  node.machines.machines.clear();
  node.marks.all.clear();
}

} // namespace

TEST_CASE("nothing is done where nothing is left", "[recovery]") {
  rig world;
  recovery_rig r{world};
  const auto report = r.recover();
  CHECK(report.actions.empty());
  CHECK(exit_code(report) == 0);
  CHECK(r.row_of(report).verdict == recovery_verdict::nothing);
  check_finished(world);
}

TEST_CASE("after the death of everybody at any step a recovery leaves one copy", "[recovery]") {
  for (const auto how : all_policies)
    for (int after = journey::begin; after <= journey::end; ++after) {
      INFO(to_string(how) << " all gone before step " << after);
      rig world;
      journey j{world, how};
      j.run(journey::begin, static_cast<journey::step>(after));
      everybody_dies(world);
      const auto report = recovery_rig{world}.recover();
      check_finished(world);
      CHECK(exit_code(report) == 0);
    }
}

TEST_CASE("after the death of everybody within a stream a recovery leaves one copy", "[recovery]") {
  for (const auto how : all_policies)
    for (int tenths = 0; tenths < 300; tenths += 7) {
      INFO(to_string(how) << " all gone after " << tenths << " tenths of a ms of the stream");
      rig world;
      journey j{world, how};
      j.run(journey::begin, journey::source_end);
      world.clock.run_for(std::chrono::microseconds{100 * tenths});
      world.source.die();
      world.clock.run_for(std::chrono::microseconds{37 * tenths});
      world.target.die();
      world.clock.run_for(std::chrono::seconds{1});
      const auto report = recovery_rig{world}.recover();
      check_finished(world);
      CHECK(exit_code(report) == 0);
    }
}

TEST_CASE("a dry run tells and changes nothing", "[recovery]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  everybody_dies(world);
  for (auto* node : {&world.source, &world.target})
    node->access = agent_access::observe;
  const auto before = world.cluster.calls.size();
  recovery_rig r{world};
  const auto report = r.recover(recovery_mode::dry_run);
  CHECK(report.actions.empty());
  CHECK(r.row_of(report).name == "waits for take-over");
  CHECK(exit_code(report) == 2);
  CHECK(world.writes(before, world.cluster.calls.size()).empty());
  CHECK(world.record().state == record_state::moving);
  for (auto* node : {&world.source, &world.target})
    node->access = agent_access::control;
  recovery_rig{world}.recover();
  check_finished(world);
}

TEST_CASE("a target that is silent keeps the source waiting, and a word ends it", "[recovery]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  everybody_dies(world);
  recovery_rig r{world, {n2}};
  auto report = r.recover();
  CHECK(r.row_of(report).name == "target silent");
  CHECK(exit_code(report) == 6);
  CHECK(
    report.last.at(0).command() == "drover recover when n2 answers, or drover recover --fenced "
                                   "n2");
  CHECK(world.machines.running(vm) == 0);

  dies_for_good(world.target);
  r.words.fenced = {n2};
  report = r.recover();
  CHECK(r.row_of(report).name == "target fenced");
  CHECK(exit_code(report) == 6);
  CHECK(world.machines.running(vm) == 0);

  SECTION("it never ran there") {
    r.words.never_ran = {vm};
    report = r.recover();
    check_finished(world);
    CHECK(world.runs(world.source));
  }
  SECTION("it ran there") {
    r.words.ran = {vm};
    report = r.recover();
    CHECK(world.machines.running(vm) == 0);
    CHECK_FALSE(world.source.machines.machines.contains(vm));
    CHECK(world.config() == config_text(vm));
    CHECK(world.record().state == record_state::settled);
  }
  CHECK(r.row_of(report).verdict == recovery_verdict::nothing);
  CHECK(exit_code(report) == 0);
}

TEST_CASE("a source that died with the stream keeps the target waiting for a word", "[recovery]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  // Everything is loaded, and the source has not heard of it yet.
  REQUIRE(world.clock.run_until(
    [&] { return world.target.machines.stream_outcome(vm, j.evidence().number()).has_value(); },
    std::chrono::seconds{1}));
  everybody_dies(world);
  dies_for_good(world.source);
  recovery_rig r{world, {n1}};
  auto report = r.recover();
  CHECK(r.row_of(report).name == "source silent");
  CHECK(world.machines.running(vm) == 0);
  r.words.fenced = {n1};
  report = r.recover();
  CHECK(r.row_of(report).name == "source fenced");
  CHECK(exit_code(report) == 6);
  r.words.never_ran = {vm};
  report = r.recover();
  CHECK(world.runs(world.target));
  CHECK(world.owner() == n2);
  CHECK(world.record().state == record_state::settled);
  CHECK(exit_code(report) == 0);
}

TEST_CASE("a VM that has died on both nodes is unlocked", "[recovery]") {
  for (const auto how : all_policies)
    for (int after = journey::receive; after < journey::release; ++after) {
      INFO(to_string(how) << " died before step " << after);
      rig world;
      journey j{world, how};
      j.run(journey::begin, static_cast<journey::step>(after));
      everybody_dies(world);
      world.source.machines.machines.clear();
      world.target.machines.machines.clear();
      recovery_rig r{world};
      const auto report = r.recover();
      CHECK(exit_code(report) == 0);
      CHECK(world.machines.running(vm) == 0);
      CHECK(world.config() == config_text(vm));
      CHECK(world.record().state == record_state::settled);
    }
}

TEST_CASE("the marks of a VM that is no more go when every node answers", "[recovery]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::end);
  world.target.machines.crash(vm);
  world.target.store.remove_config(vm, n2, [](auto) {});
  world.clock.run_for(std::chrono::seconds{200});
  REQUIRE(world.source.marks.all.contains(vm));
  recovery_rig blind{world, {n2}};
  CHECK(exit_code(blind.recover()) == 2);
  CHECK(world.source.marks.all.contains(vm));
  const auto report = recovery_rig{world}.recover();
  CHECK(exit_code(report) == 0);
  CHECK_FALSE(world.source.marks.all.contains(vm));
  CHECK_FALSE(world.target.marks.all.contains(vm));
}

TEST_CASE("a config that somebody else has locked is left alone", "[recovery]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::receive);
  everybody_dies(world);
  world.target.machines.machines.clear();
  world.source.store.write_config(
    vm, n1, {world.config(), "lock: backup\n" + config_text(vm)}, [](auto) {});
  world.source.store.write_record(
    handover_record{vm, epoch{9}, record_state::moving, n1, n3, policy::ticket, "c:9"},
    [](auto) {});
  world.clock.run_for(milliseconds{10});
  recovery_rig r{world, {}};
  const auto report = r.recover();
  CHECK(world.config().starts_with("lock: backup"));
  CHECK(world.runs(world.source));
}

TEST_CASE("a VM that was paused stays paused when its source goes on", "[recovery]") {
  const auto how = GENERATE(from_range(all_policies));
  INFO(to_string(how));
  rig world;
  pause(world);
  journey j{world, how};
  j.run(journey::begin, journey::take_over);
  SECTION("because its controller has taken the target's proof to it") {
    const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
    REQUIRE(proof);
    // Asked twice, as after an answer that was lost.
    for (int i = 0; i < 2; ++i)
      REQUIRE(world.source.ask(wire::continue_source{j.evidence(), *proof}));
    REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
    world.clock.run_for(std::chrono::seconds{1});
    check_stays_paused(world);
    world.source.restart();
    world.source.greet();
    check_stays_paused(world);
    // Its QEMU refuses to send it again before people have let it run.
    const auto again = world.source.ask(wire::begin_handover{vm, n2, how, "c:1"});
    REQUIRE_FALSE(again);
    CHECK(again.error().code == errc::refused);
    CHECK(again.error().context.find("resume") != std::string::npos);
  }
  SECTION("because the target has died, by the operator's word") {
    everybody_dies(world);
    dies_for_good(world.target);
    recovery_rig r{world, {n2}};
    r.words.fenced = {n2};
    r.words.never_ran = {vm};
    CHECK(exit_code(r.recover()) == 0);
    check_stays_paused(world);
  }
  SECTION("because the agents have found out alone") {
    world.target.machines.crash(vm);
    world.both_lose_the_controller();
    world.clock.run_for(std::chrono::seconds{70});
    recovery_rig r{world};
    CHECK(exit_code(r.recover()) == 0);
    check_stays_paused(world);
  }
}

TEST_CASE("a VM that was paused stays paused wherever a recovery takes it", "[recovery]") {
  for (const auto how : all_policies)
    for (int after = journey::begin; after <= journey::end; ++after) {
      INFO(to_string(how) << " all gone before step " << after);
      rig world;
      pause(world);
      journey j{world, how};
      j.run(journey::begin, static_cast<journey::step>(after));
      everybody_dies(world);
      CHECK(exit_code(recovery_rig{world}.recover()) == 0);
      CHECK(world.machines.running(vm) == 0);
      CHECK(world.record().state == record_state::settled);
      CHECK(world.config() == config_text(vm));
      const bool moved = world.owner() == n2;
      auto& at = moved ? world.target : world.source;
      const auto listed = at.ask(wire::list_vms{});
      REQUIRE(listed);
      REQUIRE(listed->vms.size() == 1);
      CHECK(listed->vms[0].state == wire::run_state::paused);
      CHECK_FALSE((moved ? world.source : world.target).machines.machines.contains(vm));
    }
}
