#include "runtime/hypervisor/command_line_devices.hpp"

#include "runtime/hypervisor/run_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>

namespace drover {

namespace {

using nlohmann::json;

// Slots on the root bus, those of Proxmox VE where it has one. Devices beyond the slots of the root
// bus sit on bridges, which exist only in a VM that needs them.
constexpr std::uint32_t slot_display = 0x2;
constexpr std::uint32_t slot_scsi = 0x5; ///< and 0x6 for the second controller
constexpr std::uint32_t slot_sata = 0x7;
constexpr std::uint32_t slot_agent = 0x8;
constexpr std::uint32_t slot_virtio = 0xa; ///< virtio0 to virtio5
constexpr std::uint32_t slot_net = 0x12;   ///< net0 to net5
constexpr std::uint32_t slot_scsi_bridge = 0x1c;
constexpr std::uint32_t slot_virtio_bridge = 0x1d;
constexpr std::uint32_t slot_net_bridge = 0x1e;
constexpr std::uint32_t on_root_max = 6;

std::string hex(std::uint32_t value) {
  std::array<char, 12> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
  return "0x" + std::string(text.data(), end);
}

/// The devices of one VM, in the making.
class device_list {
public:
  device_list(const vm_config& config, const launch_facts& facts)
    : config_(config), facts_(facts), files_(facts.run_dir, facts.vm),
      is_q35_(config.machine().find("q35") != std::string::npos) {}

  std::vector<std::string> words() {
    display();
    generation_id();
    serial_ports();
    guest_agent();
    read_boot_order();
    for (const auto& disk : config_.disks())
      add_disk(disk);
    std::uint32_t tap = first_tap_fd;
    for (const auto& net : config_.nets())
      add_net(net, tap);
    return std::move(words_);
  }

private:
  void add(std::string option, std::string value) {
    words_.push_back(std::move(option));
    words_.push_back(std::move(value));
  }

  std::string root_slot(std::uint32_t slot) const {
    return std::string(is_q35_ ? ",bus=pcie.0" : ",bus=pci.0") + ",addr=" + hex(slot);
  }

  /// A slot on a bridge, which is made when it is needed first.
  std::string bridge_slot(std::uint32_t bridge, std::uint32_t slot) {
    const auto id = "bridge" + std::to_string(bridge - slot_scsi_bridge);
    if (made_.insert(id).second)
      add(
        "-device", "pci-bridge,id=" + id + ",chassis_nr=" +
                     std::to_string(bridge - slot_scsi_bridge + 1) + root_slot(bridge));
    return ",bus=" + id + ",addr=" + hex(slot);
  }

  void display() {
    const auto device = display_device(config_.vga()).value_or("");
    if (!device.empty())
      add("-device", device + ",id=vga" + root_slot(slot_display));
  }

  void generation_id() {
    // `vmgenid: 0` says none, `1` that the owner of the config has yet to choose one.
    const auto id = config_.get("vmgenid").value_or("0");
    if (id != "0" && id != "1")
      add("-device", "vmgenid,id=vmgenid0,guid=" + option_value(id));
  }

  void serial_ports() {
    for (std::uint32_t n = 0; n < 4; ++n) {
      const auto id = "serial" + std::to_string(n);
      if (config_.get(id) != "socket")
        continue;
      add(
        "-chardev", "socket,id=" + id + ",path=" + option_value(files_.serial(n).native()) +
                      ",server=on,wait=off");
      add(
        "-device", "isa-serial,chardev=" + id + ",index=" + std::to_string(n) + ",id=uart" +
                     std::to_string(n));
    }
  }

  void guest_agent() {
    if (!config_.agent())
      return;
    add(
      "-chardev",
      "socket,id=qga0,path=" + option_value(files_.agent().native()) + ",server=on,wait=off");
    add("-device", "virtio-serial-pci,id=qgabus0" + root_slot(slot_agent));
    add("-device", "virtserialport,bus=qgabus0.0,chardev=qga0,name=org.qemu.guest_agent.0,id=qga0");
  }

  void read_boot_order() {
    std::istringstream parts(config_.get("boot").value_or(""));
    for (std::string part; std::getline(parts, part, ',');) {
      if (!part.starts_with("order="))
        continue;
      std::istringstream keys(part.substr(6));
      for (std::string key; std::getline(keys, key, ';');)
        boot_order_.push_back(key);
    }
  }

  std::string boot_index(const std::string& key) const {
    const auto at = std::find(boot_order_.begin(), boot_order_.end(), key);
    return at == boot_order_.end()
             ? ""
             : ",bootindex=" + std::to_string(100 + (at - boot_order_.begin()));
  }

  /// The node below a drive; node names are limited to 31 bytes.
  void add_blockdev(const disk_entry& disk) {
    const auto path = volume_path(disk.volume, facts_.host.storages);
    const bool is_qcow2 = disk.option("format") == "qcow2" ||
                          (!disk.option("format") && path && path->extension() == ".qcow2");
    const auto cache = disk.option("cache").value_or("none");
    const bool direct = cache == "none" || cache == "directsync";
    const bool is_read_only = disk.is_cdrom() || disk.option("ro") == "1";
    json file{
      {"driver", path && path->native().starts_with("/dev/") ? "host_device" : "file"},
      {"node-name", "file-" + disk.key},
      {"filename", path ? path->native() : ""}};
    json node{{"driver", is_qcow2 ? "qcow2" : "raw"}, {"node-name", "drive-" + disk.key}};
    for (auto* level : {&file, &node}) {
      (*level)["cache"] = {{"direct", direct}, {"no-flush", cache == "unsafe"}};
      (*level)["read-only"] = is_read_only;
      (*level)["discard"] = disk.option("discard") == "on" ? "unmap" : "ignore";
    }
    node["file"] = std::move(file);
    add("-blockdev", node.dump(-1, ' ', true, json::error_handler_t::replace));
  }

  void add_disk(const disk_entry& disk) {
    const bool is_empty = disk.volume == "none";
    if (!is_empty)
      add_blockdev(disk);
    auto more =
      ",id=" + disk.key + (is_empty ? "" : ",drive=drive-" + disk.key) + boot_index(disk.key);
    if (const auto serial = disk.option("serial"))
      more += ",serial=" + option_value(*serial);
    if (disk.option("ssd") == "1" && !disk.key.starts_with("virtio"))
      more += ",rotation_rate=1";
    const auto cache = disk.option("cache").value_or("none");
    // The guest sees a write cache unless every write goes through to the medium.
    if (!is_empty && !disk.is_cdrom())
      more += std::string(",write-cache=") +
              (cache == "writethrough" || cache == "directsync" ? "off" : "on");
    const std::string kind = disk.is_cdrom() ? "cd" : "hd";
    add("-device", attach(disk, kind) + more);
  }

  /// The device of a disk and its place on its bus; makes the controller when it is the first.
  std::string attach(const disk_entry& disk, const std::string& kind) {
    const auto n = number_in_key(disk.key);
    if (disk.key.starts_with("ide"))
      return is_q35_ ? "ide-" + kind + ",bus=ide." + std::to_string(n) + ",unit=0"
                     : "ide-" + kind + ",bus=ide." + std::to_string(n / 2) +
                         ",unit=" + std::to_string(n % 2);
    if (disk.key.starts_with("sata")) {
      if (made_.insert("sata").second)
        add("-device", "ahci,id=ahci0,multifunction=on" + root_slot(slot_sata));
      return "ide-" + kind + ",bus=ahci0." + std::to_string(n) + ",unit=0";
    }
    if (disk.key.starts_with("virtio"))
      return "virtio-blk-pci" + (n < on_root_max
                                   ? root_slot(slot_virtio + n)
                                   : bridge_slot(slot_virtio_bridge, n - on_root_max + 1));
    return attach_scsi(n, kind);
  }

  std::string attach_scsi(std::uint32_t n, const std::string& kind) {
    const auto controller = config_.get("scsihw").value_or("lsi");
    if (controller == "virtio-scsi-single") {
      const auto id = "virtioscsi" + std::to_string(n);
      add("-device", "virtio-scsi-pci,id=" + id + bridge_slot(slot_scsi_bridge, n + 1));
      return "scsi-" + kind + ",bus=" + id + ".0,channel=0,scsi-id=0,lun=" + std::to_string(n);
    }
    // lsi has seven ids beside its own; virtio-scsi tells its disks apart by lun.
    const bool by_lun = controller == "virtio-scsi-pci";
    const auto which = by_lun ? 0 : n / 7;
    const auto id = "scsihw" + std::to_string(which);
    if (made_.insert(id).second)
      add("-device", controller + ",id=" + id + root_slot(slot_scsi + which));
    return "scsi-" + kind + ",bus=" + id + ".0" +
           (by_lun ? ",channel=0,scsi-id=0,lun=" + std::to_string(n)
                   : ",scsi-id=" + std::to_string(n % 7));
  }

  void add_net(const net_entry& net, std::uint32_t& tap) {
    const auto n = number_in_key(net.key);
    const bool has_bridge =
      std::any_of(net.options.begin(), net.options.end(), [](const auto& option) {
        return option.first == "bridge";
      });
    // Without a bridge a network is QEMU's own NAT, as in Proxmox VE.
    add(
      "-netdev",
      has_bridge ? "tap,id=" + net.key + ",fd=" + std::to_string(tap++) : "user,id=" + net.key);
    auto device = (net.model == "virtio" ? "virtio-net-pci" : net.model) + ",netdev=" + net.key +
                  ",id=" + net.key + (net.mac.empty() ? "" : ",mac=" + net.mac);
    if (net.model != "ne2k_isa")
      device += n < on_root_max ? root_slot(slot_net + n)
                                : bridge_slot(slot_net_bridge, n - on_root_max + 1);
    add("-device", device + boot_index(net.key));
  }

  const vm_config& config_;
  const launch_facts& facts_;
  run_files files_;
  bool is_q35_;
  std::vector<std::string> boot_order_;
  std::set<std::string> made_; ///< controllers and bridges
  std::vector<std::string> words_;
};

} // namespace

std::vector<std::string> device_words(const vm_config& config, const launch_facts& facts) {
  return device_list(config, facts).words();
}

std::optional<std::filesystem::path> volume_path(
  std::string_view volume, const std::map<std::string, storage_root>& storages) {
  if (volume.starts_with('/'))
    return std::filesystem::path{volume};
  const auto colon = volume.find(':');
  if (colon == std::string_view::npos)
    return std::nullopt;
  const auto at = storages.find(std::string{volume.substr(0, colon)});
  if (at == storages.end())
    return std::nullopt;
  const auto name = volume.substr(colon + 1);
  if (name.starts_with("iso/"))
    return at->second.isos / name.substr(4);
  return at->second.images / name;
}

std::optional<std::string> display_device(std::string_view vga) {
  if (vga.empty() || vga == "std")
    return "VGA";
  if (vga == "none" || vga.starts_with("serial"))
    return "";
  if (vga == "cirrus")
    return "cirrus-vga";
  if (vga == "vmware")
    return "vmware-svga";
  if (vga == "virtio")
    return "virtio-vga";
  return std::nullopt;
}

std::uint32_t number_in_key(std::string_view key) {
  const auto digits = key.find_first_of("0123456789");
  std::uint32_t number = 0;
  if (digits != std::string_view::npos)
    std::from_chars(key.data() + digits, key.data() + key.size(), number);
  return number;
}

std::string option_value(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == ',' ? std::string(",,") : std::string(1, c);
  return out;
}

} // namespace drover
