// A link that breaks and comes back: its controller goes on where it was.
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;
using namespace std::chrono_literals;

namespace {

/// The link of `node` breaks, and opens again after `away` with another agent behind it.
void lose_and_regain(rig& world, node_rig& node, nanoseconds away) {
  node.it().controller_gone();
  world.clock.run_for(away);
  if (!node.finished) {
    const auto begin = world.clock.now();
    node.it().give_way();
    CHECK(world.clock.run_until([&] { return node.finished; }, 1s));
    CHECK(world.clock.now() - begin <= 60ms);
  }
  node.restart();
  node.greet();
}

bool was_called(const rig& world, const node_rig& node, const std::string& what) {
  const auto name = &node == &world.source ? n1.value : n2.value;
  return world.call(name, what) < world.cluster.calls.size();
}

} // namespace

TEST_CASE("a link that comes back goes on with its handover, in every phase", "[agent]") {
  for (const auto how : all_policies)
    for (int after = journey::receive; after <= journey::settle; ++after)
      for (const bool at_source : {true, false}) {
        INFO(
          to_string(how) << ", the " << (at_source ? "source" : "target") << " away before step "
                         << after);
        rig world;
        world.machines.copy_time = 3s;
        journey j{world, how};
        j.run(journey::begin, static_cast<journey::step>(after));
        // Past the switchover an agent alone ends the pause first, and what it has done is
        // answered.
        const bool is_stopped = after > journey::stream;
        lose_and_regain(world, at_source ? world.source : world.target, is_stopped ? 10ms : 2s);
        j.run(static_cast<journey::step>(after), journey::end);
        j.check_moved();
        CHECK_FALSE(was_called(world, world.source, "qemu.cancel_stream"));
      }
}

TEST_CASE(
  "a stream whose controller stays away is cancelled in the end, and not before", "[agent]") {
  rig world;
  world.machines.copy_time = 10min;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  world.both_lose_the_controller();
  world.clock.run_for(9s);
  CHECK(world.source.machines.machines.at(vm).streaming);
  CHECK_FALSE(world.source.finished);
  CHECK(world.clock.run_until([&] { return world.source.finished && world.target.finished; }, 10s));
  check_finished(world);
  CHECK(world.runs(world.source));
}

TEST_CASE(
  "a stream that ends while its controller is away pauses its VM for no longer", "[agent]") {
  rig world;
  world.machines.copy_time = 2s;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  const auto begin = world.clock.now();
  world.both_lose_the_controller();
  CHECK(world.clock.run_until([&] { return world.runs(world.target); }, 10s));
  CHECK(world.clock.now() - begin < 2s + 500ms);
  CHECK(world.clock.run_until([&] { return world.source.finished && world.target.finished; }, 10s));
  check_finished(world);
}

TEST_CASE("what another controller has begun is not waited for", "[agent]") {
  rig world;
  world.machines.copy_time = 10min;
  journey j{world};
  j.run(journey::begin, journey::source_end);
  seat(world.source, "d:2");
  const auto begin = world.clock.now();
  CHECK(
    world.clock.run_until([&] { return !world.source.machines.machines.at(vm).streaming; }, 10s));
  CHECK(world.clock.now() - begin < 1s);
}
