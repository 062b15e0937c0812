// How a node's bandwidth is divided: the pure division, and what the agent tells its streams.
#include "runtime/agent/bandwidth_shares.hpp"

#include "tests/runtime/agent/agent_rig.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace drover::test {

namespace {

constexpr std::uint64_t mib = 1024 * 1024;
const vm_id other{106};

bandwidth_by_vm streams(std::initializer_list<std::uint64_t> caps) {
  bandwidth_by_vm all;
  std::uint32_t number = 100;
  for (const auto cap : caps)
    all[vm_id{number++}] = cap;
  return all;
}

std::uint64_t sum(const bandwidth_by_vm& shares) {
  std::uint64_t whole = 0;
  for (const auto& [vm, share] : shares)
    whole += share;
  return whole;
}

/// A second VM of n1 on its way to n2, up to its stream.
void stream_other(rig& world) {
  world.source.store.create_config(other, n1, config_text(other), [](auto) {});
  world.clock.run_for(milliseconds{1});
  world.source.machines.put(other, config_text(other));
  const auto begun = world.source.ask(wire::begin_handover{other, n2, policy::ticket, "c:1"});
  REQUIRE(begun);
  const auto offer =
    world.target.ask(wire::receive{begun->evidence, begun->config, begun->facts, false});
  REQUIRE(offer);
  REQUIRE(world.source.ask(wire::stream{
    begun->evidence, offer->host, offer->port, offer->token, 0, 100, offer->boot_id, offer->key}));
}

} // namespace

TEST_CASE("without a limit each stream has its own") {
  CHECK(bandwidth_shares(0, streams({0, 5 * mib})) == streams({0, 5 * mib}));
  CHECK(bandwidth_shares(0, {}).empty());
  CHECK(bandwidth_shares(mib, {}).empty());
}

TEST_CASE("a limit is divided evenly, and what a modest VM leaves over goes to the others") {
  CHECK(bandwidth_shares(12 * mib, streams({0, 0, 0})) == streams({4 * mib, 4 * mib, 4 * mib}));
  CHECK(
    bandwidth_shares(12 * mib, streams({0, 2 * mib, 0})) == streams({5 * mib, 2 * mib, 5 * mib}));
  CHECK(bandwidth_shares(12 * mib, streams({100 * mib})) == streams({12 * mib}));
  CHECK(bandwidth_shares(12 * mib, streams({1 * mib, 2 * mib})) == streams({1 * mib, 2 * mib}));
}

TEST_CASE("whatever the streams are, no share exceeds its cap nor their sum the whole") {
  std::uint64_t state = 7;
  const auto next = [&state](std::uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33U) % below;
  };
  for (int round = 0; round < 2000; ++round) {
    bandwidth_by_vm caps;
    const auto count = 1 + next(40);
    for (std::uint32_t i = 0; i < count; ++i)
      caps[vm_id{100 + i}] = next(3) == 0 ? 0 : 1 + next(20 * mib);
    const auto whole = mib + next(64 * mib);
    const auto shares = bandwidth_shares(whole, caps);
    REQUIRE(shares.size() == caps.size());
    REQUIRE(sum(shares) <= whole);
    std::uint64_t most = 0;
    for (const auto& [id, share] : shares)
      most = std::max(most, share);
    bool all_capped = true;
    for (const auto& [id, share] : shares) {
      REQUIRE(share > 0);
      REQUIRE((caps.at(id) == 0 || share <= caps.at(id)));
      const bool is_capped = share == caps.at(id);
      all_capped = all_capped && is_capped;
      // Fair: who gets less than another has either all that it may use, or a rounded share.
      REQUIRE((is_capped || share + count >= most));
    }
    // Nothing is left lying while somebody could use it.
    REQUIRE((all_capped || sum(shares) + count >= whole));
  }
}

TEST_CASE("a node's streams share its bandwidth, and the last one has it all again") {
  rig world;
  world.source.bandwidth_bytes_per_s = 10 * mib;
  world.source.restart();
  world.source.greet();
  world.machines.copy_time = std::chrono::seconds{2};
  journey j{world};
  j.run(journey::begin, journey::source_end);
  auto& told = world.source.machines.bandwidth;
  CHECK(told.at(vm) == 10 * mib);
  stream_other(world);
  world.clock.run_for(milliseconds{50});
  CHECK(told.at(vm) == 5 * mib);
  CHECK(told.at(other) == 5 * mib);
  j.run(journey::source_end, journey::take_over);
  world.clock.run_for(milliseconds{50});
  CHECK(told.at(other) == 10 * mib);
}

TEST_CASE("a node without a limit tells its streams nothing but their own") {
  rig world;
  world.machines.copy_time = std::chrono::seconds{2};
  journey j{world};
  j.run(journey::begin, journey::source_end);
  stream_other(world);
  world.clock.run_for(milliseconds{50});
  CHECK(world.source.machines.bandwidth.at(vm) == 0);
  CHECK(world.call("n1", "qemu.set_bandwidth") == world.cluster.calls.size());
}

} // namespace drover::test
