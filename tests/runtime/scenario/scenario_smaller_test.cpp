#include "tests/runtime/scenario/scenario_samples.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace drover::testing;

TEST_CASE("a scenario with its first VMs has their evacuations and the nodes of these") {
  const auto whole_one = parse(growing);
  REQUIRE(whole_one);
  CHECK(whole_one->compare_vms == 4);
  CHECK(whole_one->worlds == std::set{world_kind::sim});
  CHECK(vms_of(*whole_one) == 10);
  const auto smaller = with_first_vms(*whole_one, 4);
  CHECK(smaller.compare_vms == 0);
  CHECK(vms_of(smaller) == 4);
  REQUIRE(smaller.vms.size() == 2);
  CHECK(smaller.vms[0].count == 3);
  CHECK(smaller.vms[1].first == vm_id{110});
  CHECK(smaller.vms[1].count == 1);
  REQUIRE(smaller.actions.size() == 1);
  CHECK(std::get<action::evacuate>(smaller.actions[0].what).node == node_id{"n1"});
  CHECK(smaller.nodes.size() == 3);
  CHECK(smaller.nodes.contains(node_id{"n4"}));
  CHECK(smaller.expect.exit_codes == std::set{0});
  CHECK_FALSE(smaller.expect.moved);
  CHECK(smaller.expect.vms_on.empty());
}

TEST_CASE("a number at which a group ends takes no empty group along") {
  const auto whole_one = parse(growing);
  REQUIRE(whole_one);
  CHECK(with_first_vms(*whole_one, 3).vms.size() == 1);
  CHECK(with_first_vms(*whole_one, 9).vms.size() == 3);
  CHECK(with_first_vms(*whole_one, 9).actions.size() == 2);
}
