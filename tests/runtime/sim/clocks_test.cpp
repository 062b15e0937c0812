// Hosts whose clocks are apart, drift and are set: what the production actors make of their stamps,
// beside the truth that only the simulated world knows.
#include "runtime/base/host_clocks.hpp"
#include "runtime/sim/sim_player.hpp"
#include "runtime/sim/swarm.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace drover;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const node_id n1{"n1"};

/// One VM moves from n1 to n2, whose clocks are hours apart and drift apart.
json one_move() {
  return json::parse(R"({
    "why": "A VM moves between hosts whose clocks are apart.",
    "cluster": {"nodes": {
      "n1": {"memory": "1G", "clock": {"ahead_ms": -7200000, "up_s": 86400,
             "drift_per_million": 99, "heard_after_ms": 2}},
      "n2": {"memory": "1G", "clock": {"ahead_ms": 3600000, "up_s": 60,
             "drift_per_million": -99, "heard_after_ms": 1}}}},
    "vms": [{"first": 100, "node": "n1"}],
    "actions": [{"at_ms": 500, "migrate": 100, "to": "n2"}],
    "expect": {"moved": 1, "exit_code": 0}})");
}

json when_stopped(json action) {
  action["when"] = {{"event", "machine_changed"}, {"vm", 100}, {"state", "stopped"}};
  return action;
}

sim_outcome played(const json& scenario, std::uint64_t seed = 1) {
  const auto file = parse_scenario_file(scenario.dump(), "clocks.json");
  if (!file)
    FAIL(to_string(file.error()));
  sim_play_settings how;
  how.seed = seed;
  auto out = play_in_sim(*file, how);
  for (const auto& wrong : out.wrong)
    UNSCOPED_INFO(wrong);
  CHECK(out.wrong.empty());
  REQUIRE(out.played.result.migrations.size() == 1);
  return out;
}

const migration_figures& figures_of(const sim_outcome& out) {
  return out.played.result.migrations.front().figures;
}

} // namespace

TEST_CASE("a host's two clocks go at one speed, and only a jump parts them", "[sim]") {
  event_queue world;
  host_clocks clocks{world};
  clocks.put(n1, {3600s, -2s, 50});
  CHECK(clocks.monotonic(n1) == mono_time{3600s});
  CHECK(clocks.wall(n1) == event_queue::beginning - 2s);
  world.advance_to(mono_time{100s});
  CHECK(clocks.monotonic(n1) == mono_time{3700s + 5ms});
  CHECK(clocks.wall(n1) == event_queue::beginning + 98s + 5ms);
  clocks.jump(n1, -1h);
  CHECK(clocks.monotonic(n1) == mono_time{3700s + 5ms});
  CHECK(clocks.wall(n1) == event_queue::beginning + 98s + 5ms - 1h);
  clocks.boot(n1);
  CHECK(clocks.monotonic(n1) == mono_time{});
  CHECK(clocks.wall(n1) == event_queue::beginning + 98s + 5ms - 1h);
  const node_id other{"n2"};
  CHECK(clocks.monotonic(other) == world.now());
  CHECK(clocks.wall(other) == world.wall_now());
}

TEST_CASE("a timer is due by the host's clock, not a nanosecond early or late", "[sim]") {
  for (const std::int64_t drift : {-99, -1, 0, 7, 99})
    for (const nanoseconds delay : {1ns, 999'999ns, nanoseconds{2s}, nanoseconds{3600s}}) {
      event_queue world;
      world.advance_to(mono_time{1234567891ns});
      host_clocks clocks{world};
      clocks.put(n1, {5s, 0s, drift});
      const auto due = clocks.monotonic(n1) + delay;
      const auto wait = clocks.world_time(n1, delay);
      const auto begun = world.now();
      INFO(drift << " per million, " << delay.count() << " ns");
      world.advance_to(begun + wait - 1ns);
      CHECK(clocks.monotonic(n1) < due);
      world.advance_to(begun + wait);
      CHECK(clocks.monotonic(n1) >= due);
    }
}

TEST_CASE("the pause between clocks that are hours apart is told within its bound", "[sim]") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    const auto out = played(one_move(), seed);
    REQUIRE(figures_of(out).pause_s);
    CHECK(figures_of(out).pause_error_s > 0);
    // A link's round trips are of a fraction of a millisecond.
    CHECK(figures_of(out).pause_error_s < 0.001);
    CHECK(out.pauses_checked == 1);
  }
}

TEST_CASE("a clock that is set between QEMU's stamp and the agent's look is noticed", "[sim]") {
  for (const int by_ms : {-3'600'000, -50, 50, 86'400'000}) {
    auto scenario = one_move();
    scenario["actions"].push_back(when_stopped({{"clock_jump", "n1"}, {"by_ms", by_ms}}));
    scenario["expect"]["pauses_unknown"] = 1;
    INFO(by_ms);
    const auto out = played(scenario);
    CHECK_FALSE(figures_of(out).pause_s);
    CHECK(figures_of(out).pause_unknown == "the clock of n1 was set during the migration");
    CHECK(out.pauses_checked == 0);
  }
}

TEST_CASE("it is noticed also where the clocks were read anew before the answer came", "[sim]") {
  auto scenario = one_move();
  scenario["actions"].push_back(when_stopped({{"clock_jump", "n1"}, {"by_ms", 4000}}));
  scenario["actions"].push_back(when_stopped({{"stall_streams", "n1"}, {"for_ms", 25'000}}));
  scenario["expect"]["pauses_unknown"] = 1;
  const auto out = played(scenario);
  CHECK(figures_of(out).pause_unknown == "the clock of n1 was set during the migration");
}

TEST_CASE("a target whose clock is set before it resumes tells no pause", "[sim]") {
  auto scenario = one_move();
  json set{{"clock_jump", "n2"}, {"by_ms", -700}};
  set["when"] = {{"event", "machine_changed"}, {"vm", 100}, {"state", "running"}};
  scenario["actions"].push_back(set);
  scenario["expect"]["pauses_unknown"] = 1;
  const auto out = played(scenario);
  CHECK(figures_of(out).pause_unknown == "the clock of n2 was set during the migration");
}

TEST_CASE("a clock that was set before the migration, or after it, disturbs no figure", "[sim]") {
  auto scenario = one_move();
  scenario["actions"][0]["at_ms"] = 60'000;
  scenario["actions"].push_back({{"at_ms", 100}, {"clock_jump", "n1"}, {"by_ms", 9000}});
  scenario["actions"].push_back({{"at_ms", 65'000}, {"clock_jump", "n2"}, {"by_ms", -9000}});
  scenario["expect"]["pauses_unknown"] = 0;
  const auto out = played(scenario);
  CHECK(figures_of(out).pause_s);
  CHECK(out.pauses_checked == 1);
}

TEST_CASE("a pause that began long before the clocks were read is told within its bound", "[sim]") {
  // Right before the end they were: they have drifted apart since the source stopped.
  auto scenario = one_move();
  scenario["actions"].push_back(when_stopped({{"stall_streams", "n1"}, {"for_ms", 20'000}}));
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    const auto out = played(scenario, seed);
    REQUIRE(figures_of(out).pause_s);
    CHECK(*figures_of(out).pause_s > 20);
    CHECK(figures_of(out).pause_error_s > 0.001);
    CHECK(out.pauses_checked == 1);
  }
}

TEST_CASE("a seed draws clocks where it is asked to, and nothing else changes by that", "[sim]") {
  auto scenario = read_scenario_file(DROVER_SCENARIOS "/storm/clocks_apart.json");
  REQUIRE(scenario);
  auto plain = *scenario;
  plain.random->clocks = false;
  plain.random->faults.erase(fault_kind::clock_jump);
  auto apart = plain;
  apart.random->clocks = true;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto a = drawn(apart, seed);
    const auto b = drawn(plain, seed);
    REQUIRE(a.nodes.size() == b.nodes.size());
    REQUIRE(a.actions.size() == b.actions.size());
    for (std::size_t i = 0; i < a.actions.size(); ++i)
      CHECK(a.actions[i].after == b.actions[i].after);
    for (const auto& [name, node] : a.nodes) {
      CHECK(node.clock.shows != host_clock{});
      CHECK(b.nodes.at(name).clock.shows == host_clock{});
    }
  }
}

TEST_CASE("whatever clocks are drawn, every pause that is told holds the true one", "[sim]") {
  const auto scenario = read_scenario_file(DROVER_SCENARIOS "/storm/clocks_apart.json");
  REQUIRE(scenario);
  std::uint64_t checked = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    sim_play_settings how;
    how.seed = seed;
    const auto out = play_in_sim(as_played(drawn(*scenario, seed), std::nullopt), how);
    checked += out.pauses_checked;
    INFO("seed " << seed);
    for (const auto& v : out.violations)
      CHECK(to_string(v).empty());
  }
  CHECK(checked > 200);
}
