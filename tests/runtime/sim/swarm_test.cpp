// What seeds draw.
#include "runtime/sim/swarm.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace drover;

TEST_CASE("seeds draw different clusters, loads, policies and faults", "[sim]") {
  const auto scenario = read_scenario_file(DROVER_SCENARIOS "/storm/all_faults.json");
  REQUIRE(scenario);
  std::set<std::size_t> nodes;
  std::set<std::size_t> vms;
  std::set<policy> policies;
  std::set<std::string> verbs;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const auto d = drawn(*scenario, seed);
    CHECK_FALSE(d.random);
    nodes.insert(d.nodes.size());
    vms.insert(d.vms.size());
    for (const auto& a : d.actions) {
      verbs.insert(action::verb_of(a.what));
      if (const auto* e = std::get_if<action::evacuate>(&a.what))
        policies.insert(e->how);
      if (!action::is_departure(a.what))
        CHECK(a.after < scenario->random->until + std::chrono::seconds{40});
    }
  }
  CHECK(nodes.size() > 3);
  CHECK(vms.size() > 10);
  CHECK(policies.size() == 3);
  for (const auto& [kind, weight] : scenario->random->faults) {
    INFO(to_string(kind));
    CHECK(verbs.contains(std::string{to_string(kind)}));
  }
}

TEST_CASE("a scenario that draws nothing is played as it is written", "[sim]") {
  const auto scenario = read_scenario_file(DROVER_SCENARIOS "/handover/resume_overtakes_move.json");
  REQUIRE(scenario);
  const auto same = drawn(*scenario, 7);
  CHECK(same.actions.size() == scenario->actions.size());
  CHECK(same.vms.size() == scenario->vms.size());
}
