// The controller is gone: whatever the phase, exactly one copy runs in the end, at its owner.
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;

namespace {

void check_one_runs(rig& world) {
  CHECK(world.clock.run_until(
    [&] { return world.source.finished && world.target.finished; }, std::chrono::seconds{70}));
  CHECK(world.machines.violations.empty());
  REQUIRE(world.machines.running(vm) == 1);
  CHECK(world.owner() == (world.runs(world.source) ? n1 : n2));
  // Nothing is left over: no lock, no open record, no second copy.
  const auto& other = world.runs(world.source) ? world.target : world.source;
  CHECK(world.config() == config_text(vm));
  CHECK(world.record().state == record_state::settled);
  CHECK_FALSE(other.machines.machines.contains(vm));
  CHECK_FALSE(world.is_locked());
}

} // namespace

TEST_CASE("with nothing in flight an orphaned agent ends at once", "[agent]") {
  rig world;
  const auto begin = world.clock.now();
  world.both_lose_the_controller();
  check_one_runs(world);
  CHECK(world.clock.now() - begin < milliseconds{10});
  CHECK(world.runs(world.source));
}

TEST_CASE("a controller that dies in any phase leaves one running copy", "[agent]") {
  for (const auto how : all_policies)
    for (int after = journey::begin; after <= journey::end; ++after) {
      INFO(to_string(how) << " gone before step " << after);
      rig world;
      journey j{world, how};
      j.run(journey::begin, static_cast<journey::step>(after));
      world.both_lose_the_controller();
      check_one_runs(world);
      // A stream that has begun comes to its end before the controller is given up.
      const bool forward = after > journey::stream;
      CHECK(world.source.finished);
      CHECK(world.runs(world.target) == forward);
    }
}

TEST_CASE("a controller that dies at any moment leaves one running copy", "[agent]") {
  for (const auto how : all_policies)
    for (int tenths = 0; tenths < 300; tenths += 3) {
      INFO(to_string(how) << " gone after " << tenths << " tenths of a ms of the stream");
      rig world;
      journey j{world, how};
      j.run(journey::begin, journey::source_end);
      world.clock.run_for(std::chrono::microseconds{100 * tenths});
      world.source.it().controller_gone();
      world.clock.run_for(std::chrono::microseconds{37 * tenths});
      world.target.it().controller_gone();
      check_one_runs(world);
    }
}

TEST_CASE("a controller that dies while a request is at work leaves one running copy", "[agent]") {
  for (const auto how : all_policies)
    for (int at = journey::begin; at < journey::end; ++at)
      for (int microseconds = 0; microseconds < 2000; microseconds += 90) {
        INFO(to_string(how) << " during step " << at << " after " << microseconds << " us");
        rig world;
        journey j{world, how};
        j.run(journey::begin, static_cast<journey::step>(at));
        if (at == journey::begin)
          (void)world.source.send(wire::begin_handover{vm, n2, how, "c:1"});
        if (
          (at == journey::early_move && how == policy::early) ||
          (at == journey::move && how != policy::early && !target_moves_config(how)))
          (void)world.source.send(wire::move_config{{j.evidence()}});
        if (at == journey::receive)
          (void)world.target.send(
            wire::receive{j.evidence(), j.begun()->config, j.begun()->facts, false});
        if (at == journey::take_over)
          (void)world.target.send(wire::take_over{{j.evidence()}});
        if (at == journey::release)
          (void)world.source.send(wire::release_source{{j.evidence()}});
        if (at == journey::settle)
          (void)world.target.send(wire::settle{{j.evidence()}});
        world.clock.run_for(std::chrono::microseconds{microseconds});
        world.both_lose_the_controller();
        check_one_runs(world);
      }
}

TEST_CASE(
  "a target without the source's word stays paused and gives up in bounded time", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.source.die();
  world.target.it().controller_gone();
  CHECK(world.clock.run_until([&] { return world.target.finished; }, std::chrono::seconds{70}));
  CHECK(world.machines.running(vm) == 0);
  CHECK(world.target.machines.machines.contains(vm));
  // Nothing is lost: a new controller goes on where the old one died.
  world.source.restart();
  world.target.restart();
  world.source.greet();
  world.target.greet();
  j.run(journey::take_over, journey::end);
  j.check_moved();
}

TEST_CASE("an orphaned agent gives way to the next one at once", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.target.it().controller_gone();
  world.clock.run_for(milliseconds{500});
  REQUIRE_FALSE(world.target.finished);
  const auto begin = world.clock.now();
  world.target.it().give_way();
  CHECK(world.clock.run_until([&] { return world.target.finished; }, milliseconds{500}));
  CHECK(world.clock.now() - begin <= milliseconds{300});
  world.target.restart();
  world.target.greet();
  j.run(journey::take_over, journey::end);
  j.check_moved();
}

TEST_CASE("an unpublished outcome is published although the store refuses for a while", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.source.store.faults["write_record"] = {
    {errc::refused, "no quorum", {}}, fake_store::fate::not_applied, 30};
  world.both_lose_the_controller();
  check_one_runs(world);
  CHECK(world.runs(world.target));
  CHECK(world.record().outcome == source_outcome::completed);
}

TEST_CASE(
  "a record that is opened again at the moment of its settling is settled again", "[agent]") {
  for (const bool forward : {false, true}) {
    rig world;
    journey j{world};
    j.run(journey::begin, forward ? journey::release : journey::stream);
    const auto open = world.record();
    auto& settles = forward ? world.target : world.source;
    settles.it().controller_gone();
    REQUIRE(world.clock.run_until(
      [&] { return world.record().state == record_state::settled; }, std::chrono::seconds{15}));
    (forward ? world.source : world.target).store.write_record(open, [](auto) {});
    world.clock.run_for(std::chrono::seconds{1});
    CHECK(world.record().state == record_state::settled);
    CHECK(settles.finished);
  }
}

TEST_CASE("requests after the controller has gone are not begun", "[agent]") {
  rig world;
  world.source.it().controller_gone();
  const auto answer = world.source.ask(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
  REQUIRE(!answer);
  CHECK(answer.error().code == errc::retry);
}

TEST_CASE("what was asked before the controller went is still answered", "[agent]") {
  rig world;
  world.source.restart();
  const auto greeted = world.source.send(wire::hello{wire::protocol_version, "c:1"});
  const auto listed = world.source.send(wire::list_vms{});
  world.source.it().controller_gone();
  world.clock.run_for(milliseconds{10});
  REQUIRE(world.source.reply_to(greeted));
  CHECK(world.source.reply_to(greeted)->body);
  REQUIRE(world.source.reply_to(listed));
  CHECK(world.source.reply_to(listed)->body);
  CHECK(world.source.finished);
}

TEST_CASE("a run mark whose cont never came is no running VM: it is let run again", "[agent]") {
  for (const auto how : all_policies)
    for (const bool adopted : {false, true}) {
      INFO(to_string(how) << (adopted ? " adopted" : " orphaned"));
      rig world;
      journey j{world, how};
      j.run(journey::begin, journey::take_over);
      world.target.machines.faults["resume"] = {errc::retry, "no answer", {}};
      CHECK_FALSE(j.ask(journey::take_over));
      CHECK_FALSE(world.target.ask(wire::settle{{j.evidence()}}));
      CHECK(world.source.machines.machines.contains(vm));
      if (adopted) {
        world.target.controller = world.source.controller = "c:2";
        world.target.restart();
        world.source.restart();
        world.target.greet();
        world.source.greet();
        world.clock.run_for(std::chrono::seconds{5});
      }
      world.both_lose_the_controller();
      check_one_runs(world);
      CHECK(world.runs(world.target));
    }
}
