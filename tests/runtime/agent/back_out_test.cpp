// The ways back: cancelled, failed, void; and that resume and void exclude each other.
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;

namespace {

void check_stayed(rig& world) {
  // A copy that has loaded everything ends when its node sees that the source runs.
  world.clock.run_for(std::chrono::seconds{2});
  CHECK(world.machines.violations.empty());
  CHECK(world.runs(world.source));
  CHECK(world.owner() == n1);
  CHECK(world.config() == config_text(vm));
  CHECK(world.record().state == record_state::settled);
  CHECK_FALSE(world.target.machines.machines.contains(vm));
}

} // namespace

TEST_CASE("a cancelled stream leaves the VM where it was", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  REQUIRE(world.source.ask(wire::cancel_stream{{j.evidence()}}));
  const auto outcome = world.source.ask(wire::await_outcome{{j.evidence()}});
  REQUIRE(outcome);
  CHECK(outcome->end == wire::stream_end::cancelled);
  REQUIRE(world.target.ask(wire::void_handover{{j.evidence()}}));
  REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
  check_stayed(world);
  CHECK(world.record().outcome == source_outcome::kept);
}

TEST_CASE("a cancel after the switchover is refused and the move goes on", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  world.clock.run_until([&] { return world.machines.running(vm) == 0; }, milliseconds{100});
  CHECK_FALSE(world.source.ask(wire::cancel_stream{{j.evidence()}}));
  j.run(journey::source_end, journey::end);
  j.check_moved();
}

TEST_CASE(
  "a target that dies while memory is copied leaves the VM running at its source", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  world.target.machines.crash(vm);
  const auto outcome = world.target.ask(wire::await_outcome{{j.evidence()}});
  REQUIRE(outcome);
  CHECK(outcome->end == wire::stream_end::failed);
  REQUIRE(world.source.ask(wire::await_outcome{{j.evidence()}}));
  REQUIRE(world.target.ask(wire::void_handover{{j.evidence()}}));
  REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
  check_stayed(world);
}

TEST_CASE("void first: the ticket finds nothing to resume and the source continues", "[agent]") {
  for (const auto how : all_policies) {
    INFO(to_string(how));
    rig world;
    journey j{world, how};
    j.run(journey::begin, journey::take_over);
    const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
    REQUIRE(proof);
    CHECK(proof->number == j.evidence().number());
    CHECK(proof->boot_id == "boot-n2");
    const auto late = j.ask(journey::take_over);
    REQUIRE(!late);
    CHECK(late.error().code == errc::refused);
    CHECK_FALSE(world.source.ask(wire::settle{{j.evidence()}}));
    REQUIRE(world.source.ask(wire::continue_source{j.evidence(), *proof}));
    CHECK(world.source.ask(wire::continue_source{j.evidence(), *proof}));
    REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
    check_stayed(world);
  }
}

TEST_CASE("resume first: void is too late and the source does not continue", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::claim);
  const auto late = world.target.ask(wire::void_handover{{j.evidence()}});
  REQUIRE(!late);
  CHECK(late.error().what.find("too late") == 0);
  CHECK_FALSE(world.source.ask(wire::continue_source{
    j.evidence(), wire::voided{j.evidence().number(), "boot-n2", j.evidence().number()}}));
  j.run(journey::claim, journey::end);
  j.check_moved();
}

TEST_CASE("resume and void asked at once: exactly one of them wins", "[agent]") {
  for (const bool resume_first : {true, false}) {
    rig world;
    journey j{world};
    j.run(journey::begin, journey::take_over);
    request_id resume;
    request_id annul;
    if (resume_first)
      resume = world.target.send(wire::take_over{{j.evidence()}});
    annul = world.target.send(wire::void_handover{{j.evidence()}});
    if (!resume_first)
      resume = world.target.send(wire::take_over{{j.evidence()}});
    world.clock.run_for(milliseconds{100});
    CHECK(world.target.reply_to(resume)->body.has_value() == resume_first);
    CHECK(world.target.reply_to(annul)->body.has_value() != resume_first);
    CHECK(world.runs(world.target) == resume_first);
  }
}

TEST_CASE("void works where nothing was received", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::receive);
  REQUIRE(world.target.ask(wire::void_handover{{j.evidence()}}));
  CHECK_FALSE(j.ask(journey::receive));
  REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
  check_stayed(world);
}

TEST_CASE("void while the target still receives leaves no QEMU behind", "[agent]") {
  for (int microseconds = 0; microseconds < 1500; microseconds += 50) {
    INFO("void after " << microseconds << " us");
    rig world;
    journey j{world};
    j.run(journey::begin, journey::receive);
    const auto received =
      world.target.send(wire::receive{j.evidence(), j.begun()->config, j.begun()->facts, false});
    world.clock.run_for(std::chrono::microseconds{microseconds});
    const bool was_received = world.target.reply_to(received) != nullptr;
    const auto annulled = world.target.send(wire::void_handover{{j.evidence()}});
    world.clock.run_for(milliseconds{500});
    REQUIRE(world.target.reply_to(annulled));
    CHECK(world.target.reply_to(annulled)->body);
    REQUIRE(world.target.reply_to(received));
    CHECK(world.target.reply_to(received)->body.has_value() == was_received);
    CHECK_FALSE(world.target.machines.machines.contains(vm));
  }
}

TEST_CASE("a run mark that cannot be written means that nothing is resumed", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.target.marks.broken = error{errc::retry, "no space", {}};
  CHECK_FALSE(j.ask(journey::take_over));
  CHECK(world.machines.running(vm) == 0);
  world.target.marks.broken.reset();
  j.run(journey::take_over, journey::end);
  j.check_moved();
}

TEST_CASE("a loaded copy that is void ends when the source runs, and not before", "[agent]") {
  for (const bool restarted : {false, true}) {
    rig world;
    journey j{world};
    j.run(journey::begin, journey::take_over);
    const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
    REQUIRE(proof);
    CHECK_FALSE(j.ask(journey::take_over));
    world.clock.run_for(std::chrono::minutes{1});
    CHECK(world.target.machines.machines.contains(vm));
    REQUIRE(world.source.ask(wire::continue_source{j.evidence(), *proof}));
    if (restarted)
      world.target.die();
    REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
    if (restarted) {
      world.target.restart();
      world.target.greet();
    }
    world.clock.run_for(std::chrono::seconds{3});
    CHECK_FALSE(world.target.machines.machines.contains(vm));
    check_stayed(world);
  }
}

TEST_CASE("the last loaded copy outlives the source's host, void or not", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.source.die();
  world.source.machines.machines.clear();
  REQUIRE(world.target.ask(wire::void_handover{{j.evidence()}}));
  world.target.it().controller_gone();
  world.clock.run_for(std::chrono::minutes{2});
  CHECK(world.target.machines.machines.contains(vm));
}

TEST_CASE("a newer epoch ends the void copy of the older one", "[agent]") {
  rig world;
  journey first{world};
  first.run(journey::begin, journey::take_over);
  const auto proof = world.target.ask(wire::void_handover{{first.evidence()}});
  REQUIRE(proof);
  REQUIRE(world.source.ask(wire::continue_source{first.evidence(), *proof}));
  REQUIRE(world.source.ask(wire::settle{{first.evidence()}}));
  journey second{world};
  second.run(journey::begin, journey::end);
  second.check_moved();
}

TEST_CASE("a receive that fails when it is repeated leaves what is loaded", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.target.machines.faults["facts"] = {errc::retry, "not now", {}};
  CHECK_FALSE(j.ask(journey::receive));
  CHECK(world.target.machines.machines.contains(vm));
  j.run(journey::take_over, journey::end);
  j.check_moved();
}

TEST_CASE("the proof of a boot that the stream did not go to proves nothing", "[agent]") {
  rig world;
  journey j{world};
  world.target.store.faults["move"] = {
    {errc::retry, "not now", {}}, fake_store::fate::not_applied, 100};
  j.run(journey::begin, journey::claim); // it ran, but never owned
  world.target.die();
  world.target.machines.crash(vm);
  world.target.marks.all.clear();
  world.target.boot_id = "boot-n2-again";
  world.target.restart();
  world.target.greet();
  REQUIRE(j.ask(journey::receive)); // late: it renews the mark of the barrier
  const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
  REQUIRE(proof);
  CHECK(proof->number == j.evidence().number());
  const auto continued = world.source.ask(wire::continue_source{j.evidence(), *proof});
  REQUIRE(!continued);
  CHECK(continued.error().what.find("not of the boot") != std::string::npos);
  CHECK(world.machines.running(vm) == 0);
}
