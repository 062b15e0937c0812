// Shared disks: image locks decide who runs, and only at `cont`.
#include "tests/contracts/hypervisor_calls.hpp"
#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <catch2/catch.hpp>
#include <fstream>

namespace drover {

namespace {

using contracts::code_of;
using contracts::side;
using wire::run_state;

struct disk_move : contracts::hypervisor_calls {
  disk_move() : hypervisor_calls(std::make_unique<contracts::qemu_rig>()) {
    auto& qemu = static_cast<contracts::qemu_rig&>(rig());
    const auto shared = qemu.root() / "shared";
    std::filesystem::create_directories(shared);
    std::ofstream(shared / "a.raw") << std::string(1'048'576, '\0');
    const std::string disk = "scsihw: virtio-scsi-pci\nscsi0: shared:a.raw\n";
    begin_move(7, qemu.config("2056k", disk));
    wait_completed();
  }
};

} // namespace

TEST_CASE("the target takes the disk when it runs; then the source cannot run any more") {
  disk_move n;
  CHECK(code_of(n.resume(side::target)) == "ok");
  const auto refused = n.resume(side::source);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK_THAT(refused.error().what, Catch::Contains("lock"));
  CHECK(n.state(side::source) == run_state::postmigrate);
}

TEST_CASE("until then the source can go on, and the target is refused with QEMU's reason") {
  disk_move n;
  CHECK(code_of(n.resume(side::source)) == "ok");
  const auto refused = n.resume(side::target);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK_THAT(refused.error().what, Catch::Contains("lock"));
  CHECK(n.state(side::target) == run_state::incoming);
}

} // namespace drover
