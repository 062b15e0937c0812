#include "runtime/hypervisor/blockers.hpp"

#include <catch2/catch.hpp>

namespace drover {

namespace {

host_facts node() {
  host_facts host;
  host.qemu_version = "7.2.22";
  host.machines = {"pc-i440fx-7.2", "pc-q35-7.2"};
  host.machine_aliases = {{"pc", "pc-i440fx-7.2"}, {"q35", "pc-q35-7.2"}};
  host.storages["shared"] = {"/srv/shared", "/srv/shared/iso", storage_reach::shared};
  host.storages["local"] = {"/srv/local", "/srv/local/iso", storage_reach::local};
  host.bridges = {"vmbr0"};
  return host;
}

vm_config config(const std::string& text) {
  auto parsed = vm_config::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

} // namespace

TEST_CASE("a plain config starts and moves") {
  const auto plain = config("name: web\nmemory: 512\nscsihw: virtio-scsi-pci\n"
                            "scsi0: shared:vm-100-disk-0.raw,size=4G,cache=writeback\nide2: none,"
                            "media=cdrom\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=0\n"
                            "boot: order=scsi0\nagent: 1\nserial0: socket\nvga: serial0\n");
  CHECK(start_blockers(plain, node()).empty());
  CHECK(move_blockers(plain, node()).empty());
}

TEST_CASE("what cannot be carried out is a sentence that names the key") {
  struct row {
    const char* text;
    const char* sentence;
  };
  const auto given = GENERATE(values<row>(
    {{"machine: pc-i440fx-9.9\n", "machine pc-i440fx-9.9 is not known to QEMU 7.2.22 here."},
     {"machine: q35,viommu=intel\n", "machine: options (q35,viommu=intel) are not supported."},
     {"bios: ovmf\n", "bios: ovmf is not supported."},
     {"kvm: 1\n", "kvm: 1 asks for KVM, which this node does not have."},
     {"cpu: host\n", "cpu: host needs KVM, which this VM does not use here."},
     {"vga: qxl\n", "vga: qxl is not supported."},
     {"efidisk0: shared:vm-100-disk-1.raw,size=4M\n", "efidisk0 is not supported."},
     {"tpmstate0: shared:vm-100-disk-2.raw,size=4M\n", "tpmstate0 is not supported."},
     {"hostpci0: 0000:01:00.0\n", "hostpci0 is a device of the host, which is not supported."},
     {"usb0: host=1234:5678\n", "usb0 is a device of the host, which is not supported."},
     {"serial1: /dev/ttyS0\n", "serial1 is a device of the host, which is not supported."},
     {"scsi0: gone:vm-100-disk-0.raw\n", "scsi0: storage gone is not known to this node."},
     {"scsi0: shared:a.raw,mbps_rd=10\n", "scsi0: mbps_rd=10 is not supported."},
     {"scsi0: shared:a.raw,cache=odd\n", "scsi0: cache=odd is not supported."},
     {"scsihw: megasas\nscsi0: shared:a.raw\n", "scsihw: megasas is not supported."},
     {"scsi14: shared:a.raw\n", "scsi14: lsi has no more than 14 disks here."},
     {"ide2: cdrom,media=cdrom\n", "ide2 uses the node's own CD drive."},
     {"net0: virtio=BC:24:11:00:00:01,bridge=vmbr9\n", "net0: this node has no bridge vmbr9."},
     {"net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=5\n", "net0: tag=5 is not supported."},
     {"net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1\n",
      "net0: firewall=1 is not supported."},
     {"template: 1\n", "A template is no VM that runs."}}));
  CHECK(start_blockers(config(given.text), node()) == std::vector<std::string>{given.sentence});
}

TEST_CASE("KVM is asked for only where it is") {
  auto host = node();
  host.best = accelerator::kvm;
  CHECK(start_blockers(config("kvm: 1\ncpu: host\n"), host).empty());
  CHECK(start_blockers(config("kvm: 0\ncpu: host\n"), host).size() == 1);
}

TEST_CASE("a disk that other nodes do not see keeps the VM where it is, but lets it start") {
  struct row {
    const char* text;
    bool moves;
  };
  const auto given = GENERATE(values<row>(
    {{"ide0: local:100/vm-100-disk-0.raw\n", false},
     {"ide0: /srv/a.raw\n", false},
     {"ide0: /srv/a.raw,shared=1\n", true},
     {"ide0: shared:a.raw\n", true},
     {"ide2: local:iso/x.iso,media=cdrom\n", false},
     {"ide2: none,media=cdrom\n", true}}));
  CAPTURE(given.text);
  CHECK(start_blockers(config(given.text), node()).empty());
  CHECK(move_blockers(config(given.text), node()).empty() == given.moves);
}

} // namespace drover
