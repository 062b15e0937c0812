// A store that loses its quorum while memory flows: no VM is paused then.
#include "tests/runtime/agent/agent_rig.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace drover::test;

namespace {

const error no_quorum{errc::refused, "no quorum", {}};

/// A stream of a minute, which began with a store that takes writes.
journey streaming(rig& world) {
  world.machines.copy_time = std::chrono::seconds{60};
  journey j{world};
  j.run(journey::begin, journey::source_end);
  return j;
}

} // namespace

TEST_CASE("a stream is cancelled when the store takes no writes any more", "[agent]") {
  rig world;
  const auto j = streaming(world);
  world.clock.run_for(std::chrono::seconds{10});
  CHECK(world.source.machines.machines.at(vm).streaming);
  world.source.store.faults["barrier"] = {no_quorum, {}, 1'000'000};
  const auto end = world.source.ask(wire::await_outcome{{j.evidence()}}, std::chrono::seconds{30});
  REQUIRE(end);
  CHECK(end->end == wire::stream_end::cancelled);
  CHECK(
    end->reason ==
    "cancelled, since a VM is not paused while the store takes no writes: no quorum");
  CHECK(world.runs(world.source));
  CHECK(world.machines.running(vm) == 1);
  CHECK(world.machines.violations.empty());
}

TEST_CASE("a store that only hangs, or fails in another way, cancels no stream", "[agent]") {
  for (const auto code : {errc::timeout, errc::lost, errc::retry}) {
    rig world;
    const auto j = streaming(world);
    world.source.store.faults["barrier"] = {{code, "something", {}}, {}, 1'000'000};
    world.clock.run_for(std::chrono::seconds{30});
    CHECK(world.source.machines.machines.at(vm).streaming);
    world.source.store.faults.clear();
    world.clock.run_for(std::chrono::seconds{40});
    const auto end = world.source.ask(wire::await_outcome{{j.evidence()}});
    REQUIRE(end);
    CHECK(end->end == wire::stream_end::completed);
  }
}

TEST_CASE("without a stream nothing is asked of the store", "[agent]") {
  rig world;
  world.clock.run_for(std::chrono::seconds{10});
  const auto calls = world.cluster.calls.size();
  world.clock.run_for(std::chrono::seconds{60});
  CHECK(world.cluster.calls.size() == calls);
  journey j{world};
  j.run(journey::begin, journey::end);
  j.check_moved();
  world.clock.run_for(std::chrono::seconds{5});
  const auto passed = world.call("n1", "store.barrier", world.cluster.calls.size());
  world.clock.run_for(std::chrono::seconds{60});
  CHECK(world.call("n1", "store.barrier", passed) == world.cluster.calls.size());
}

TEST_CASE("after the switchover a store without quorum stops nothing", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.source.store.faults["barrier"] = {no_quorum, {}, 4};
  world.clock.run_for(std::chrono::seconds{6});
  j.run(journey::take_over, journey::claim);
  CHECK(world.runs(world.target));
  world.source.store.faults.clear();
  j.run(journey::claim, journey::end);
  j.check_moved();
}
