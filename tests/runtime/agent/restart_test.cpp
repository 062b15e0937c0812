// An agent that dies and comes back at any point answers the same question as before.
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;

TEST_CASE("after a restart in any phase the same request gets the same result", "[agent]") {
  for (const auto how : all_policies)
    for (int at = journey::begin; at < journey::end; ++at) {
      INFO(to_string(how) << " restarted after step " << at);
      rig world;
      journey j{world, how};
      const auto phase = static_cast<journey::step>(at);
      j.run(journey::begin, static_cast<journey::step>(at + 1));
      world.source.restart();
      world.target.restart();
      world.source.greet();
      world.target.greet();
      const auto again = j.ask(phase);
      INFO((again ? "" : to_string(again.error())));
      CHECK(again);
      j.run(static_cast<journey::step>(at + 1), journey::end);
      j.check_moved();
    }
}

TEST_CASE("a stream that ends while both agents are away is still known", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  world.source.die();
  world.target.die();
  world.clock.run_for(std::chrono::seconds{1});
  world.source.restart();
  world.target.restart();
  world.source.greet();
  world.target.greet();
  j.run(journey::source_end, journey::end);
  j.check_moved();
}

TEST_CASE("a claim that an agent left behind is taken up by the next one", "[agent]") {
  rig world;
  world.target.store.faults["move"] = {
    {errc::refused, "no quorum", {}}, fake_store::fate::not_applied, 3};
  journey j{world};
  j.run(journey::begin, journey::claim);
  world.target.restart();
  world.target.greet();
  j.run(journey::claim, journey::end);
  j.check_moved();
}

TEST_CASE("a void mark outlives the agent", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  REQUIRE(world.target.ask(wire::void_handover{{j.evidence()}}));
  world.target.restart();
  world.target.greet();
  CHECK_FALSE(j.ask(journey::take_over));
}

TEST_CASE("an agent that dies in the middle of anything leaves nothing that wakes up", "[agent]") {
  for (int microseconds = 0; microseconds < 3000; microseconds += 50) {
    rig world;
    journey j{world};
    (void)world.source.send(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
    world.clock.run_for(std::chrono::microseconds{microseconds});
    world.source.die();
    world.clock.run_for(std::chrono::seconds{1});
    world.source.restart();
    world.source.greet();
    j.run(journey::begin, journey::end);
    j.check_moved();
  }
}

TEST_CASE("marks or QEMUs that cannot be read stop every request", "[agent]") {
  rig world;
  world.source.marks.broken = error{errc::invalid, "a mark file needs the number \"run\"", "x"};
  world.source.restart();
  const auto answer = world.source.ask(wire::hello{});
  REQUIRE(!answer);
  CHECK(answer.error().code == errc::invalid);
}
