#include "tests/contracts/hypervisor_contract.hpp"
#include "tests/contracts/hypervisor_sim_rig.hpp"

#include <catch2/catch.hpp>

namespace drover::contracts {

namespace {

std::unique_ptr<hypervisor_rig> make_rig() { return std::make_unique<sim_rig>(); }

} // namespace

TEST_CASE("the simulation keeps the hypervisor's contract: machines") { check_machines(make_rig); }
TEST_CASE("the simulation keeps the hypervisor's contract: receiving") {
  check_receiving(make_rig);
}
TEST_CASE("the simulation keeps the hypervisor's contract: moves") { check_moves(make_rig); }
TEST_CASE("the simulation keeps the hypervisor's contract: doors") { check_doors(make_rig); }
TEST_CASE("the simulation keeps the hypervisor's contract: broken streams") {
  check_broken_streams(make_rig);
}
TEST_CASE("the simulation keeps the hypervisor's contract: stream settings") {
  check_stream_settings(make_rig);
}
TEST_CASE("the simulation keeps the hypervisor's contract: restarts") { check_restarts(make_rig); }

TEST_CASE("the simulation keeps the hypervisor's contract with other luck") {
  check_hypervisor_contract([] { return std::make_unique<sim_rig>(20'250'807); });
}

} // namespace drover::contracts
