// What the command line says beside what a real QEMU that was started with it answers.
#include "runtime/hypervisor/qmp_client.hpp"
#include "tests/contracts/hypervisor_calls.hpp"
#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <catch2/catch.hpp>
#include <fstream>

namespace drover {

namespace {

using contracts::code_of;
using contracts::side;

struct node : contracts::hypervisor_calls {
  node() : hypervisor_calls(std::make_unique<contracts::qemu_rig>()) {
    const auto shared = qemu().root() / "shared";
    std::filesystem::create_directories(shared);
    for (const auto* name : {"a.raw", "b.raw", "c.raw", "d.raw"})
      std::ofstream(shared / name) << std::string(1'048'576, '\0');
  }
  contracts::qemu_rig& qemu() { return static_cast<contracts::qemu_rig&>(rig()); }

  /// QEMU's own word, past the driver.
  nlohmann::json ask(const std::string& command, const nlohmann::json& arguments) {
    const run_files files{qemu().settings(side::source).run_dir, vm};
    const auto client = qmp_client::connect(
      qemu().loop(), files.rescue(),
      {[](const qmp_ready&) {}, [](const qmp_event&) {}, [](const error&) {}});
    REQUIRE(client);
    std::optional<result<nlohmann::json>> told;
    (*client)->call(
      command, arguments, std::chrono::seconds{10},
      [&told](result<nlohmann::json> answer) { told = std::move(answer); });
    wait_for(command, [&] { return told.has_value(); });
    (*client)->close();
    REQUIRE(*told);
    return **told;
  }
};

/// The rig's config ends with its `args`.
std::string with_args(std::string config, const std::string& args) {
  config.pop_back();
  return config + args + "\n";
}

} // namespace

TEST_CASE("a QEMU is what its command line says, device by device") {
  const auto more = GENERATE(
    as<std::string>{}, "", "machine: q35\n", "cpu: max\n", "cpu: cputype=x86-64-v2-AES\n",
    "cpu: qemu64,flags=+aes\n", "sockets: 2\ncores: 3\n", "memory: 48\n", "vga: std\n",
    "serial0: socket\nserial1: socket\nagent: 1\n",
    "smbios1: uuid=0C0FFEE0-1111-4222-8333-444455556666\n",
    "scsihw: virtio-scsi-pci\nscsi0: shared:a.raw\nscsi1: shared:b.raw\n",
    "scsihw: virtio-scsi-single\nscsi0: shared:a.raw\nscsi8: shared:b.raw\n",
    "virtio0: shared:a.raw\nide0: shared:b.raw\nsata0: shared:c.raw\nide2: none,media=cdrom\n",
    "machine: q35\nvirtio0: shared:a.raw\nide2: none,media=cdrom\n",
    "net0: virtio=BC:24:11:00:00:01\nnet1: e1000=BC:24:11:00:00:02\n",
    "vmgenid: 0c0ffee0-1111-4222-8333-444455556666\nballoon: 0\n");
  const auto args = GENERATE(
    as<std::string>{}, "",
    " -machine hpet=off -chardev null,id=beat -device isa-debugcon,chardev=beat,iobase=0xe9"
    " -device loader,addr=0x600,data=7,data-len=4 -device virtio-rng-pci,id=mine");
  INFO(more << args);
  node n;
  REQUIRE(code_of(n.start(side::source, with_args(n.qemu().config("4096k", more), args))) == "ok");
  const auto planned = n.at(side::source).planned_facts(n.vm);
  const auto told = n.facts(side::source);
  REQUIRE(code_of(told) == "ok");
  REQUIRE(planned);
  const nlohmann::json type{{"path", "/machine"}, {"property", "type"}};
  CHECK(planned->machine + "-machine" == n.ask("qom-get", type).get<std::string>());
  CHECK(planned->uuid == n.ask("query-uuid", nullptr).at("UUID").get<std::string>());
  CHECK(planned->machine == told->machine);
  CHECK(planned->cpu == told->cpu);
  CHECK(planned->cpus == told->cpus);
  CHECK(planned->memory_bytes == told->memory_bytes);
  CHECK(planned->devices == told->devices);
  CHECK(planned->uuid == told->uuid);
}

TEST_CASE("what a config's own words add, and what an earlier driver started, has to be asked") {
  contracts::event_log log;
  node n;
  const auto args = GENERATE(
    as<std::string>{}, " -S", " -machine q35,hpet=off", " -machine type=q35", " -global a.b=c",
    " -device '{\"driver\": \"virtio-rng-pci\", \"id\": \"mine\"}'");
  INFO(args);
  REQUIRE(code_of(n.start(side::source, with_args(n.qemu().config("4096k"), args))) == "ok");
  CHECK_FALSE(n.at(side::source).planned_facts(n.vm));
  REQUIRE(code_of(n.quit(side::source)) == "ok");
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  CHECK(n.at(side::source).planned_facts(n.vm));
  n.qemu().restart(side::source, log);
  CHECK(n.attach(side::source).size() == 1);
  CHECK_FALSE(n.at(side::source).planned_facts(n.vm));
}

} // namespace drover
