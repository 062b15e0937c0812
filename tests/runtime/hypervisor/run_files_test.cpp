#include "runtime/hypervisor/run_files.hpp"

#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <catch2/catch.hpp>
#include <fstream>

namespace drover {

namespace fs = std::filesystem;

TEST_CASE("the run directory's files are read as they were written, and broken ones as nothing") {
  contracts::qemu_rig rig;
  const auto dir = rig.settings(contracts::side::source).run_dir;
  const run_files files(dir, vm_id{100});
  CHECK(files.read_pid() == 0);
  CHECK(files.read_stream() == stream_mark{});
  CHECK_FALSE(files.read_started());
  CHECK(files.log_tail().empty());

  REQUIRE(files.write_started("name: a\n"));
  REQUIRE(files.write_stream({epoch{7}, stream_role::source}));
  CHECK(*files.read_started() == "name: a\n");
  CHECK(files.read_stream() == stream_mark{epoch{7}, stream_role::source});
  for (const auto* broken : {"", "x", "{}", "{\"number\": -1, \"role\": \"source\"}", "[]"}) {
    std::ofstream(files.stream()) << broken;
    CHECK(files.read_stream().role == stream_role::none);
  }
  std::ofstream(files.log()) << std::string(10'000, 'x') << "\nlast line\n";
  CHECK(files.log_tail().size() < 3'000);
  CHECK(files.log_tail().ends_with("last line"));

  files.remove_all(run_files::log_file::keep);
  CHECK(fs::exists(files.log()));
  files.remove_all(run_files::log_file::remove);
  CHECK(fs::is_empty(dir));
}

TEST_CASE("only what names a VM and its process or start is one") {
  contracts::qemu_rig rig;
  const auto dir = rig.settings(contracts::side::source).run_dir;
  for (const auto* name :
       {"200.pid", "100.pid", "x.pid", "0.pid", ".pid", "100.qmp", "300.pid.new", "400.started"})
    std::ofstream(dir / name) << "1\n";
  CHECK(vms_in(dir) == std::vector{vm_id{100}, vm_id{200}, vm_id{400}});
  CHECK(vms_in(dir / "none").empty());
  // Nothing of this may be taken for a QEMU of the rig.
  for (const auto* name : {"200.pid", "100.pid", "400.started"})
    fs::remove(dir / name);
}

} // namespace drover
