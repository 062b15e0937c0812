#include "runtime/store/vm_config.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace drover {
namespace {

using strings = std::vector<std::string>;

std::string file_text(const std::filesystem::path& file) {
  std::ifstream input(file, std::ios::binary);
  REQUIRE(input);
  return {std::istreambuf_iterator<char>(input), {}};
}

std::set<std::filesystem::path> data_files() {
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(DROVER_TEST_DATA))
    files.insert(entry.path());
  return files;
}

vm_config parsed(const std::string& text) {
  auto config = vm_config::parse(text);
  if (!config)
    FAIL(to_string(config.error()));
  return *config;
}

vm_config data(const std::string& name) {
  return parsed(file_text(std::filesystem::path(DROVER_TEST_DATA) / name));
}

strings keys(const std::vector<disk_entry>& disks) {
  strings out;
  for (const auto& disk : disks)
    out.push_back(disk.key);
  return out;
}

} // namespace

TEST_CASE("every config comes back byte for byte, also after a key was set and removed again") {
  REQUIRE(data_files().size() >= 8);
  for (const auto& file : data_files()) {
    INFO(file);
    const auto text = file_text(file);
    auto config = parsed(text);
    REQUIRE(config.text() == text);
    const auto before = config.lock();
    config.set("lock", "migrate");
    REQUIRE(config.lock() == "migrate");
    REQUIRE(parsed(config.text()).lock() == "migrate");
    if (before.empty())
      config.remove("lock");
    else
      config.set("lock", before);
    REQUIRE(config.text() == text);
  }
}

TEST_CASE("the bytes stay whatever ends the lines and wherever the text ends") {
  for (const std::string text :
       {"", "\n", "\n\n", "name: a", "name: a\r\n", "# only words", "name: a\n\n\n", "[snap]",
        "name: a\n[snap]\n[PENDING]\nx y z", "name: a\r\nlock: backup"}) {
    INFO(text);
    auto config = parsed(text);
    CHECK(config.text() == text);
    config.set("migrate_speed", "7");
    CHECK(config.migrate_speed_bytes_per_s() == std::uint64_t{7} << 20);
    CHECK(parsed(config.text()).get("migrate_speed") == "7");
    config.remove("migrate_speed");
    CHECK(parsed(config.text()).get("migrate_speed") == std::nullopt);
  }
}

TEST_CASE("a key is set in its place and nothing else changes") {
  auto config = parsed("# a\nname: x\r\nmemory: 512\n\n[snap]\nmemory: 99\n");
  config.set("name", "y");
  config.set("memory", "1024");
  config.set("lock", "migrate");
  CHECK(config.text() == "# a\nname: y\r\nmemory: 1024\nlock: migrate\n\n[snap]\nmemory: 99\n");
  config.remove("name");
  config.remove("no_such_key");
  CHECK(config.text() == "# a\nmemory: 1024\nlock: migrate\n\n[snap]\nmemory: 99\n");
}

TEST_CASE("a section is not the VM: its keys are never read, set or removed") {
  auto config = data("snapshots_pending.conf");
  CHECK(config.cores() == 2);
  CHECK(config.name() == "db-1");
  CHECK(config.get("snaptime") == std::nullopt);
  CHECK(config.get("parent") == "before-upgrade");
  CHECK(config.lock() == "backup");
  const auto sections = config.text().substr(config.text().find("[PENDING]"));
  config.remove("cores");
  config.remove("snaptime");
  config.set("memory", "4097");
  CHECK(config.text().ends_with("\n\n" + sections));
}

TEST_CASE("the defaults are Proxmox's") {
  const auto config = data("minimal.conf");
  CHECK(config.name().empty());
  CHECK(config.memory_bytes() == std::uint64_t{512} << 20);
  CHECK(config.cpus() == 1);
  CHECK(config.machine().empty());
  CHECK(config.cpu().empty());
  CHECK(config.bios() == "seabios");
  CHECK(config.lock() == "create");
  CHECK(config.tags().empty());
  CHECK_FALSE(config.onboot());
  CHECK(config.kvm());
  CHECK_FALSE(config.agent());
  CHECK(config.args().empty());
  CHECK(config.uuid().empty());
  CHECK(config.migrate_downtime_ms() == 0);
  CHECK(config.migrate_speed_bytes_per_s() == 0);
  CHECK(config.disks().empty());
  CHECK(config.nets().empty());
  CHECK(config.host_devices().empty());
}

TEST_CASE("a Linux VM's values are read") {
  const auto config = data("linux_virtio_scsi.conf");
  CHECK(config.name() == "web-01.example.com");
  CHECK(config.memory_bytes() == std::uint64_t{8192} << 20);
  CHECK(config.cpus() == 8);
  CHECK(config.cores() == 4);
  CHECK(config.sockets() == 2);
  CHECK(config.machine() == "pc-i440fx-8.1");
  CHECK(config.cpu() == "x86-64-v2-AES,flags=+aes;-pcid");
  CHECK(config.tags() == strings{"prod", "web"});
  CHECK(config.onboot());
  CHECK(config.agent());
  CHECK(config.vga() == "serial0");
  CHECK(config.uuid() == "4f0c0a1e-9d53-4b6e-8f2e-0d6d2c7e5b11");
  CHECK(config.migrate_downtime_ms() == 300);
  CHECK(config.migrate_speed_bytes_per_s() == std::uint64_t{500} << 20);
  CHECK(config.host_devices().empty());
  CHECK(keys(config.disks()) == strings{"ide2", "scsi0", "scsi1", "scsi10"});
  const auto disk = config.disks().at(1);
  CHECK(disk.volume == "ceph-vms:vm-100-disk-0");
  CHECK(disk.option("size") == "32G");
  CHECK(disk.option("backup") == std::nullopt);
  CHECK_FALSE(disk.is_cdrom());
  CHECK(config.disks().at(0).is_cdrom());
  REQUIRE(config.nets().size() == 2);
  CHECK(config.nets()[0].model == "virtio");
  CHECK(config.nets()[0].mac == "BC:24:11:5A:9C:01");
  CHECK(config.nets()[1].model == "virtio");
  CHECK(config.nets()[1].mac == "BC:24:11:5A:9C:02");
  CHECK(config.nets()[1].options.size() == 2);
}

TEST_CASE("a Windows VM's values are read") {
  const auto config = data("windows_ovmf_tpm.conf");
  CHECK(config.bios() == "ovmf");
  CHECK(config.machine() == "pc-q35-8.1");
  CHECK(config.vga() == "qxl");
  CHECK(config.agent());
  CHECK(config.uuid() == "0e6f3a6c-6b3f-4f64-b6f4-1f3b9a2c7d10");
  CHECK(keys(config.disks()) == strings{"ide0", "sata0"});
}

TEST_CASE("a cloud-init VM's values are read, also where the bare word has its name") {
  const auto config = data("cloud_init.conf");
  CHECK(config.memory_bytes() == std::uint64_t{2048} << 20);
  CHECK(config.vga() == "serial0");
  CHECK(config.disks().at(0).is_cdrom());
  CHECK(config.nets().at(1).mac.empty());
}

TEST_CASE("devices of the host are named, shared ones are not") {
  const auto config = data("host_devices.conf");
  CHECK(
    config.host_devices() ==
    strings{"hostpci0", "hostpci1", "parallel0", "serial0", "usb0", "usb2"});
  CHECK(
    config.args() ==
    strings{"-device", "vfio-pci,host=02:00.0", "-m", "2056k", "-smbios", "type=11,value=a b"});
  CHECK(config.memory_bytes() == 2056 * 1024);
  CHECK(config.disks().at(0).volume == "/dev/disk/by-id/nvme-eui.0025385b21404b5e");
}

TEST_CASE("what people write by hand is read as Proxmox reads it") {
  const auto config = data("weird_order.conf");
  CHECK(config.name() == "last-one-counts");
  CHECK(config.memory_bytes() == std::uint64_t{1024} << 20);
  CHECK_FALSE(config.kvm());
  CHECK(config.cpus() == 3);
  CHECK(config.tags() == strings{"b", "a", "c", "d"});
  CHECK(config.nets().at(0).mac == "bc:24:11:0f:0e:0d");
  CHECK(config.get("future_key7") == "a: b: c");
  CHECK(config.get("x-vendor-option") == "something new");
}

TEST_CASE("a key that comes twice is set where it counts and removed everywhere") {
  auto config = parsed("name: a\ncores: 1\nname: b\n");
  config.set("name", "c");
  CHECK(config.text() == "name: a\ncores: 1\nname: c\n");
  config.remove("name");
  CHECK(config.text() == "cores: 1\n");
}

TEST_CASE("-m in args wins over memory, the last one of several") {
  CHECK(parsed("memory: 512\nargs: -m 1G\n").memory_bytes() == std::uint64_t{1} << 30);
  CHECK(parsed("args: -m 64 -m size=32M,slots=2\n").memory_bytes() == std::uint64_t{32} << 20);
  CHECK(parsed("args: --m 1.5G\n").memory_bytes() == std::uint64_t{3} << 29);
  CHECK(parsed("args: -m 2057k\n").memory_bytes() == 2064 * 1024);
  CHECK(parsed("args: -machine x -mem-prealloc\n").memory_bytes() == std::uint64_t{512} << 20);
}

TEST_CASE("a downtime of less than a millisecond is not the same as none") {
  CHECK(parsed("migrate_downtime: 0\n").migrate_downtime_ms() == 0);
  CHECK(parsed("migrate_downtime: 0.0001\n").migrate_downtime_ms() == 1);
  CHECK(parsed("migrate_downtime: 2000\n").migrate_downtime_ms() == 2000000);
}

} // namespace drover
