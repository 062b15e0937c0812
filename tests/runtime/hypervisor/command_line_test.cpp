#include "runtime/hypervisor/command_line.hpp"

#include "runtime/hypervisor/blockers.hpp"
#include "runtime/hypervisor/command_line_devices.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace drover {

namespace {

launch_facts facts_of(launch_mode mode = launch_mode::run) {
  launch_facts facts;
  facts.vm = vm_id{100};
  facts.run_dir = "/run/n1";
  facts.binary = "qemu";
  facts.mode = mode;
  facts.host.machines = {"pc-i440fx-7.2", "pc-q35-7.2"};
  facts.host.machine_aliases = {{"pc", "pc-i440fx-7.2"}, {"q35", "pc-q35-7.2"}};
  facts.host.storages["shared"] = {"/srv/shared", "/srv/shared/iso", storage_reach::shared};
  facts.host.bridges = {"vmbr0", "vmbr1"};
  return facts;
}

vm_config parsed(const std::string& text) {
  auto config = vm_config::parse(text);
  REQUIRE(config);
  return *config;
}

std::vector<std::string> words_of(const std::string& text, const launch_facts& facts = facts_of()) {
  const auto config = parsed(text);
  REQUIRE(start_blockers(config, facts.host).empty());
  return command_line(pinned(config, facts), facts);
}

/// The values of an option, in their order.
std::vector<std::string> values_of(
  const std::string& option, const std::string& text, const launch_facts& facts = facts_of()) {
  const auto words = words_of(text, facts);
  std::vector<std::string> values;
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == option)
      values.push_back(words[i + 1]);
  return values;
}

std::string last_device(const std::string& text) {
  return values_of("-device", text + "vga: none\n").back();
}

} // namespace

TEST_CASE("the words of a small VM, all of them") {
  const std::vector<std::string> expected{
    "qemu",
    "-name",
    "guest=web,debug-threads=on",
    "-pidfile",
    "/run/n1/100.pid",
    "-no-user-config",
    "-nodefaults",
    "-display",
    "none",
    "-chardev",
    "socket,id=control,fd=3,server=on,wait=off",
    "-mon",
    "chardev=control,mode=control",
    "-chardev",
    "socket,id=rescue,fd=4,server=on,wait=off",
    "-mon",
    "chardev=rescue,mode=control",
    "-machine",
    "pc-i440fx-7.2",
    "-accel",
    "tcg,tb-size=1",
    "-cpu",
    "qemu64",
    "-smp",
    "1,sockets=1,cores=1,threads=1",
    "-m",
    "2056k",
    "-uuid",
    "64726f76-6572-4000-8000-000000000064",
    "-incoming",
    "defer",
    "-S",
    "-bios",
    "b.bin",
    "-m",
    "2056k"};
  CHECK(
    words_of(
      "name: web\nvga: none\nargs: -bios b.bin -m 2056k\n", facts_of(launch_mode::receive)) ==
    expected);
  auto runs = expected;
  const auto incoming = std::find(runs.begin(), runs.end(), "-incoming");
  runs.erase(incoming, incoming + 3);
  CHECK(words_of("name: web\nvga: none\nargs: -bios b.bin -m 2056k\n") == runs);
}

TEST_CASE("pinning writes out what another node could choose differently, and is stable") {
  const auto facts = facts_of();
  const auto once = pinned(parsed("name: a\n# kept\nmachine: q35\n"), facts);
  CHECK(once.machine() == "pc-q35-7.2");
  CHECK(once.cpu() == "qemu64");
  CHECK_FALSE(once.kvm());
  CHECK(once.uuid() == "64726f76-6572-4000-8000-000000000064");
  CHECK(once.text().find("# kept") != std::string::npos);
  CHECK(pinned(once, facts).text() == once.text());

  auto newer = facts;
  newer.host.machine_aliases["q35"] = "pc-q35-9.0";
  newer.host.machines.insert("pc-q35-9.0");
  newer.host.best = accelerator::kvm;
  CHECK(pinned(once, newer).text() == once.text());

  auto kvm = facts;
  kvm.host.best = accelerator::kvm;
  const auto fast = pinned(parsed("name: a\n"), kvm);
  CHECK(fast.cpu() == "kvm64");
  CHECK(fast.get("kvm") == "1");
  CHECK(values_of("-accel", "name: a\n", kvm) == std::vector<std::string>{"kvm"});
}

TEST_CASE("Proxmox's machine suffix is not QEMU's") {
  CHECK(
    canonical_machine(parsed("machine: pc-i440fx-7.2+pve1\n"), facts_of().host) == "pc-i440fx-7.2");
}

TEST_CASE("the translation cache grows with the guest's memory, within bounds") {
  const auto cache = [](const std::string& memory) {
    return values_of("-accel", "vga: none\nargs: -m " + memory + "\n").front();
  };
  CHECK(cache("2056k") == "tcg,tb-size=1");
  CHECK(cache("1024") == "tcg,tb-size=256");
  CHECK(cache("65536") == "tcg,tb-size=512");
}

TEST_CASE("CPU models and flags") {
  const auto cpu = [](const std::string& value) {
    return values_of("-cpu", "cpu: " + value + "\n").front();
  };
  CHECK(cpu("max") == "max");
  CHECK(cpu("cputype=Nehalem,flags=+aes;-pcid") == "Nehalem,+aes,-pcid");
  CHECK(cpu("x86-64-v2-AES") == "qemu64,+aes,+popcnt,+pni,+sse4.1,+sse4.2,+ssse3");
}

TEST_CASE("disks have their node, id and address by their key alone") {
  CHECK(
    last_device("ide1: shared:a.raw\n") ==
    "ide-hd,bus=ide.0,unit=1,id=ide1,drive=drive-ide1,write-cache=on");
  CHECK(
    last_device("machine: q35\nide1: shared:a.raw\n") ==
    "ide-hd,bus=ide.1,unit=0,id=ide1,drive=drive-ide1,write-cache=on");
  CHECK(last_device("ide2: none,media=cdrom\n") == "ide-cd,bus=ide.1,unit=0,id=ide2");
  CHECK(
    last_device("sata3: shared:a.raw\n") ==
    "ide-hd,bus=ahci0.3,unit=0,id=sata3,drive=drive-sata3,write-cache=on");
  CHECK(
    last_device("virtio1: shared:a.raw,serial=A\n") ==
    "virtio-blk-pci,bus=pci.0,addr=0xb,id=virtio1,drive=drive-virtio1,serial=A,write-cache=on");
  CHECK(
    last_device("virtio6: shared:a.raw\n") ==
    "virtio-blk-pci,bus=bridge1,addr=0x1,id=virtio6,drive=drive-virtio6,write-cache=on");
  CHECK(
    last_device("scsi8: shared:a.raw\nboot: order=net0;scsi8\n") ==
    "scsi-hd,bus=scsihw1.0,scsi-id=1,id=scsi8,drive=drive-scsi8,bootindex=101,write-cache=on");
  CHECK(
    last_device("scsihw: virtio-scsi-pci\nscsi8: shared:a.raw,ssd=1,cache=writethrough\n") ==
    "scsi-hd,bus=scsihw0.0,channel=0,scsi-id=0,lun=8,id=scsi8,drive=drive-scsi8,"
    "rotation_rate=1,write-cache=off");
  CHECK(
    last_device("scsihw: virtio-scsi-single\nscsi2: shared:a.raw\n") ==
    "scsi-hd,bus=virtioscsi2.0,channel=0,scsi-id=0,lun=2,id=scsi2,drive=drive-scsi2,"
    "write-cache=on");
}

TEST_CASE("controllers are made once, before their first disk") {
  const auto devices = values_of(
    "-device", "vga: none\nscsi0: shared:a.raw\nscsi1: shared:b.raw\nsata0: shared:c.raw\n");
  REQUIRE(devices.size() == 5);
  CHECK(std::count(devices.begin(), devices.end(), "lsi,id=scsihw0,bus=pci.0,addr=0x5") == 1);
  CHECK(devices[0].starts_with("ahci,id=ahci0"));
}

TEST_CASE("a disk's file is found in its storage, with its format and cache") {
  const auto node = [](const std::string& disk) {
    return values_of("-blockdev", "ide0: " + disk + "\n").front();
  };
  CHECK(
    node("shared:100/vm.raw") ==
    R"({"cache":{"direct":true,"no-flush":false},"discard":"ignore","driver":"raw","file":)"
    R"({"cache":{"direct":true,"no-flush":false},"discard":"ignore","driver":"file",)"
    R"("filename":"/srv/shared/100/vm.raw","node-name":"file-ide0","read-only":false},)"
    R"("node-name":"drive-ide0","read-only":false})");
  CHECK(node("shared:vm.qcow2,cache=writeback").find(R"("direct":false)") != std::string::npos);
  CHECK(node("shared:vm.qcow2").find(R"("driver":"qcow2")") != std::string::npos);
  CHECK(node("/dev/vg/vm,shared=1").find(R"("driver":"host_device")") != std::string::npos);
  CHECK(node("shared:iso/x.iso,media=cdrom").find("/srv/shared/iso/x.iso") != std::string::npos);
  CHECK(node("shared:iso/x.iso,media=cdrom").find(R"("read-only":true)") != std::string::npos);
  CHECK(node("shared:vm.raw,discard=on").find(R"("discard":"unmap")") != std::string::npos);
}

TEST_CASE("networks: taps are numbered behind the control sockets, the rest is QEMU's own NAT") {
  const std::string text = "vga: none\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr1\n"
                           "net1: e1000=BC:24:11:00:00:02\n"
                           "net2: virtio=BC:24:11:00:00:03,bridge=vmbr0\n";
  CHECK(
    values_of("-netdev", text) ==
    std::vector<std::string>{"tap,id=net0,fd=5", "user,id=net1", "tap,id=net2,fd=6"});
  CHECK(tap_bridges(parsed(text)) == std::vector<std::string>{"vmbr1", "vmbr0"});
  CHECK(
    values_of("-device", text).back() ==
    "virtio-net-pci,netdev=net2,id=net2,mac=BC:24:11:00:00:03,bus=pci.0,addr=0x14");
}

TEST_CASE("display, serial ports, guest agent and generation id") {
  CHECK(
    values_of("-device", "name: a\n") == std::vector<std::string>{"VGA,id=vga,bus=pci.0,addr=0x2"});
  CHECK(
    values_of("-device", "machine: q35\n") ==
    std::vector<std::string>{"VGA,id=vga,bus=pcie.0,addr=0x2"});
  CHECK(
    values_of("-device", "vga: serial0\nserial0: socket\n") ==
    std::vector<std::string>{"isa-serial,chardev=serial0,index=0,id=uart0"});
  CHECK(values_of("-device", "vga: none\nagent: 1\n").size() == 2);
  CHECK(values_of("-device", "vga: none\nvmgenid: 1\n").empty());
  CHECK(
    values_of("-device", "vga: none\nvmgenid: 0a-b\n") ==
    std::vector<std::string>{"vmgenid,id=vmgenid0,guid=0a-b"});
}

TEST_CASE("what is the guest's own name or path cannot add options") {
  auto facts = facts_of();
  facts.run_dir = "/run/n,1";
  CHECK(
    values_of("-chardev", "vga: none\nserial0: socket\n", facts).back() ==
    "socket,id=serial0,path=/run/n,,1/100.serial0,server=on,wait=off");
}

} // namespace drover
