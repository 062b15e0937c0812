#include "tests/contracts/hypervisor_contract.hpp"
#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <catch2/catch.hpp>

namespace drover::contracts {

namespace {

std::unique_ptr<hypervisor_rig> make_rig() { return std::make_unique<qemu_rig>(); }

} // namespace

TEST_CASE("QEMU keeps the hypervisor's contract: machines") { check_machines(make_rig); }
TEST_CASE("QEMU keeps the hypervisor's contract: receiving") { check_receiving(make_rig); }
TEST_CASE("QEMU keeps the hypervisor's contract: moves") { check_moves(make_rig); }
TEST_CASE("QEMU keeps the hypervisor's contract: doors") { check_doors(make_rig); }
TEST_CASE("QEMU keeps the hypervisor's contract: broken streams") {
  check_broken_streams(make_rig);
}
TEST_CASE("QEMU keeps the hypervisor's contract: stream settings") {
  check_stream_settings(make_rig);
}
TEST_CASE("QEMU keeps the hypervisor's contract: restarts") { check_restarts(make_rig); }

TEST_CASE("QEMU streams over IPv6 as well") {
  check_doors([] { return std::make_unique<qemu_rig>("::1"); });
}

} // namespace drover::contracts
