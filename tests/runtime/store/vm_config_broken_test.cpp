#include "runtime/store/vm_config.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

namespace drover {
namespace {

struct broken_config {
  const char* text;
  const char* place; ///< file and line
  const char* right; ///< a part of what the error says would be right
};

constexpr broken_config table[] = {
  {"name", "c:1", "expected 'key: value'"},
  {"a\nb: c\n", "c:1", "expected 'key: value'"},
  {"name: x\n memory: 512\n", "c:2", "got ' memory: 512'"},
  {"Name: x\n", "c:1", "expected 'key: value'"},
  {"na me: x\n", "c:1", "expected 'key: value'"},
  {"net0x: y\n", "c:1", "expected 'key: value'"},
  {": x\n", "c:1", "expected 'key: value'"},
  {"\n\nname:\n", "c:3", "key 'name' has no value"},
  {"name:   \r\n", "c:1", "key 'name' has no value"},
  {"name: two words\n", "c:1", "a DNS name"},
  {"name: -x\n", "c:1", "a DNS name"},
  {"memory: lots\n", "c:1", "a whole number from 16 to 4194304 (MiB), got 'lots'"},
  {"memory: 15\n", "c:1", "from 16"},
  {"memory: -1\n", "c:1", "from 16"},
  {"memory: 512 MB\n", "c:1", "from 16"},
  {"memory: balloon=5\n", "c:1", "the RAM in MiB"},
  {"memory: 99999999999999999999\n", "c:1", "from 16"},
  {"cores: 0\n", "c:1", "from 1 to 1024"},
  {"sockets: 1.5\n", "c:1", "from 1 to 64"},
  {"bios: uefi\n", "c:1", "one of seabios ovmf"},
  {"lock: migrating\n", "c:1", "one of backup clone create migrate"},
  {"kvm: maybe\n", "c:1", "1 or 0"},
  {"onboot: 2\n", "c:1", "1 or 0"},
  {"agent: fstrim_cloned_disks=1\n", "c:1", "1 or 0, then options"},
  {"agent: enabled=x\n", "c:1", "1 or 0"},
  {"machine: pc q35\n", "c:1", "a type name"},
  {"cpu: flags=+aes\n", "c:1", "a type name"},
  {"vga: memory=4\n", "c:1", "a type name"},
  {"tags: a/b\n", "c:1", "words of letters"},
  {"args: -m\n", "c:1", "'-m SIZE' in args"},
  {"args: -m lots\n", "c:1", "'-m SIZE' in args"},
  {"args: -m 0\n", "c:1", "'-m SIZE' in args"},
  {"args: -m 99999999T\n", "c:1", "'-m SIZE' in args"},
  {"args: -name 'x\n", "c:1", "a closing '"},
  {"args: -name \"x\n", "c:1", "a closing \""},
  {"args: -name x\\\n", "c:1", "after the last backslash"},
  {"smbios1: uuid=1234\n", "c:1", "uuid=xxxxxxxx-xxxx"},
  {"smbios1: uuid=4f0c0a1e-9d53-4b6e-8f2e-0d6d2c7e5b1g\n", "c:1", "hexadecimal"},
  {"migrate_downtime: -1\n", "c:1", "seconds from 0 to 2000"},
  {"migrate_downtime: 1e3\n", "c:1", "seconds from 0 to 2000"},
  {"migrate_downtime: 2000.5\n", "c:1", "seconds from 0 to 2000"},
  {"migrate_downtime: .\n", "c:1", "seconds from 0 to 2000"},
  {"migrate_speed: fast\n", "c:1", "a whole number"},
  {"scsi0: disk\n", "c:1", "'storage:volume'"},
  {"scsi0: size=4G\n", "c:1", "'storage:volume'"},
  {"scsi0: local:\n", "c:1", "'storage:volume'"},
  {"scsi0: a:b,size=big\n", "c:1", "size=N"},
  {"scsi0: a:b,size=1G,size=2G\n", "c:1", "'size' only once"},
  {"scsi0: a:b,c:d\n", "c:1", "one value without a name"},
  {"scsi0: a:b,=x\n", "c:1", "'name=value'"},
  {"scsi0: a:b,size=\n", "c:1", "'name=value'"},
  {"scsi31: a:b\n", "c:1", "no number above 30 after 'scsi'"},
  {"ide4: a:b\n", "c:1", "no number above 3 after 'ide'"},
  {"net0: bridge=vmbr0\n", "c:1", "a model such as virtio=MAC"},
  {"net0: fast=BC:24:11:00:00:01\n", "c:1", "a model such as virtio=MAC"},
  {"net0: virtio=BC:24:11:00:00\n", "c:1", "a MAC address"},
  {"net0: virtio=BC-24-11-00-00-01\n", "c:1", "a MAC address"},
  {"usb0: host=1,host=2\n", "c:1", "'host' only once"},
  {"name: a\n[snap\n", "c:2", "a section must be '[name]'"},
  {"[]\n", "c:1", "a section must be '[name]'"},
  {"name: a\n[one]\nx: y\n[two] z\n", "c:4", "a section must be '[name]'"},
};

} // namespace

TEST_CASE("a broken config is one error that names the line and what would be right") {
  for (const auto& row : table) {
    INFO(row.text);
    const auto config = vm_config::parse(row.text, "c");
    REQUIRE_FALSE(config);
    CHECK(config.error().code == errc::invalid);
    CHECK(config.error().context == row.place);
    CHECK_THAT(config.error().what, Catch::Contains(row.right));
  }
}

TEST_CASE("a config that is no text at all is refused") {
  using namespace std::string_literals;
  CHECK_FALSE(vm_config::parse("name: a\0b\n"s));
  CHECK_FALSE(vm_config::parse("\x7f\x45\x4c\x46\x02\x01"s));
  CHECK_FALSE(vm_config::parse(std::string(70000, 'x')));
  // The error stays one short line whatever the input is.
  CHECK(vm_config::parse(std::string(70000, 'x')).error().what.size() < 200);
}

TEST_CASE("a config cut or mangled at any byte parses or is refused, and never changes by itself") {
  const std::string whole = "# words\nname: vm-1\nmemory: 2048\nargs: -m 2056k -x 'a b'\n"
                            "scsi0: local:100/a.raw,size=4G\nnet0: virtio=BC:24:11:00:00:01\n"
                            "migrate_downtime: 0.25\nsmbios1: uuid=x\n[snap]\nname: old\n";
  std::uint32_t luck = 1;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int kind = 0; kind < 8; ++kind) {
      auto text = kind == 0 ? whole.substr(0, at) : whole;
      luck = luck * 1664525 + 1013904223;
      if (kind != 0)
        text[at] = static_cast<char>(luck >> 24);
      const auto config = vm_config::parse(text);
      if (!config) {
        CHECK(config.error().code == errc::invalid);
        continue;
      }
      CHECK(config->text() == text);
      // Every reader works on whatever parse lets through.
      config->memory_bytes(), config->args(), config->disks(), config->nets();
      config->migrate_downtime_ms(), config->host_devices(), config->uuid(), config->agent();
    }
  }
}

} // namespace drover
