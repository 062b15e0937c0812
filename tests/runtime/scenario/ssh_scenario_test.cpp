// Scenarios whose nodes are hosts of their own: what is read, and in which world they can be.
#include "tests/runtime/scenario/scenario_samples.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

using namespace drover;
using namespace drover::testing;

namespace {

/// A scenario over ssh with these members in the place of others.
std::string over_ssh(const std::string& change) {
  auto scenario = nlohmann::json::parse(R"({
    "why": "It shows how a scenario with hosts of its own is read.",
    "cluster": {"link": "ssh", "nodes": {"n1": {"memory": "1G"}, "n2": {"memory": "1G"}}},
    "vms": [{"node": "n1"}],
    "actions": [{"evacuate": "n1"}]
  })");
  scenario.merge_patch(nlohmann::json::parse(change));
  return scenario.dump();
}

std::string error_of(const std::string& change) {
  const auto scenario = parse(over_ssh(change));
  return scenario ? "accepted" : to_string(scenario.error());
}

} // namespace

TEST_CASE("a scenario over ssh is for the local world alone") {
  const auto s = parse(over_ssh("{}"));
  REQUIRE(s);
  CHECK(s->link == link_kind::ssh);
  CHECK(s->worlds == std::set<world_kind>{world_kind::local});
  CHECK(objection_to(*s, world_kind::local).empty());
  CHECK_THAT(
    objection_to(*s, world_kind::sim),
    Catch::EndsWith("/cluster/link: only the local world can do this"));
  CHECK_THAT(
    error_of(R"({"worlds": ["sim", "local"]})"),
    Catch::EndsWith(
      "/worlds: the simulated world cannot play this scenario, because of /cluster/link"));
  CHECK_THAT(
    error_of(R"({"actions": [{"kill_node": "n1"}, {"evacuate": "n1"}]})"),
    Catch::EndsWith("/cluster/link is for the local world only, /actions/0/kill_node for the "
                    "simulated one only"));
  const auto processes = parse(over_ssh(R"({"cluster": {"link": "process"}})"));
  REQUIRE(processes);
  CHECK(processes->link == link_kind::process);
  CHECK(processes->worlds == std::set<world_kind>{world_kind::sim, world_kind::local});
}

TEST_CASE("over ssh the local world can break links, and logins can be wrong") {
  const auto s = parse(over_ssh(R"({
    "cluster": {"nodes": {"n1": {"login": "changed_host_key"}, "n2": {"login": "wrong_key"}}},
    "actions": [{"evacuate": "n1"}, {"cut_link": "n1", "for_ms": 5},
                {"half_open_link": "n2", "for_ms": 5}]})"));
  REQUIRE(s);
  CHECK(s->worlds == std::set<world_kind>{world_kind::local});
  CHECK(s->nodes.at(node_id{"n1"}).login == host_login::changed_host_key);
  CHECK(s->nodes.at(node_id{"n2"}).login == host_login::wrong_key);
  CHECK_THAT(
    error_of(R"({"cluster": {"nodes": {"n1": {"login": "none"}}}})"),
    Catch::EndsWith("/cluster/nodes/n1/login: expected one of usual, wrong_key, changed_host_key, "
                    "found \"none\""));
  CHECK_THAT(
    error_of(R"({"cluster": {"link": "process", "nodes": {"n1": {"login": "wrong_key"}}}})"),
    Catch::EndsWith("/cluster/nodes/n1/login: only with /cluster/link \"ssh\" is there a login"));
  CHECK_THAT(
    error_of(R"({"cluster": {"link": "rsh"}})"),
    Catch::EndsWith("/cluster/link: expected one of process, ssh, found \"rsh\""));
}
