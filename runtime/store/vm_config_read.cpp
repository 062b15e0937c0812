// The typed readers. `parse` has checked every value, so a failed parse here is a broken invariant.
#include "runtime/base/check.hpp"
#include "runtime/store/vm_config.hpp"
#include "runtime/store/vm_config_values.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace drover {
namespace {

namespace values = config_values;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

template <class T>
T checked(values::parsed<T> value) {
  DROVER_CHECK(value.has_value(), "parse has checked every value of a config");
  return std::move(*value);
}

std::uint32_t number(const std::optional<std::string>& text, std::uint32_t otherwise) {
  if (!text)
    return otherwise;
  constexpr auto greatest = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(checked(values::parse_number(*text, 0, greatest)));
}

/// The bare word of a property string, or the value of `key` in it.
std::string first_word(const std::optional<std::string>& value, std::string_view key) {
  if (!value)
    return {};
  return values::find_property(*value, key, key).value_or(std::string{});
}

/// Proxmox's order: bus by name, then by number, so that scsi2 comes before scsi10.
bool key_order(const std::string& a, const std::string& b) {
  return values::split_key(a) < values::split_key(b);
}

/// Keys of `lines` that `wanted` accepts, each once, in `key_order`.
template <class Lines, class Wanted>
std::vector<std::string> keys_of(const Lines& lines, Wanted wanted) {
  std::vector<std::string> keys;
  for (const auto& entry : lines)
    if (!entry.key.empty() && wanted(entry.key))
      keys.push_back(entry.key);
  std::sort(keys.begin(), keys.end(), key_order);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

bool ties_to_host(std::string_view key, std::string_view value) {
  const auto bus = values::split_key(key).first;
  if (
    bus == "hostpci" || bus == "parallel" || bus == "virtiofs" || bus == "ivshmem" ||
    bus == "hostusb")
    return true;
  if (bus == "usb")
    return values::find_property(value, "host", "host") != "spice";
  return bus == "serial" && value != "socket";
}

} // namespace

std::string vm_config::name() const { return get("name").value_or(std::string{}); }

std::uint64_t vm_config::memory_bytes() const {
  if (auto asked = checked(values::memory_in_words(args())))
    return *asked;
  const auto memory = get("memory");
  if (!memory)
    return 512 * mebibyte;
  const auto current = values::find_property(*memory, "current", "current");
  return number(current, 512) * mebibyte;
}

std::uint32_t vm_config::cpus() const { return sockets() * cores(); }

std::uint32_t vm_config::sockets() const { return number(get("sockets"), 1); }

std::uint32_t vm_config::cores() const { return number(get("cores"), 1); }

std::string vm_config::machine() const { return first_word(get("machine"), "type"); }

std::string vm_config::cpu() const { return get("cpu").value_or(std::string{}); }

std::string vm_config::bios() const { return get("bios").value_or("seabios"); }

std::string vm_config::lock() const { return get("lock").value_or(std::string{}); }

std::vector<std::string> vm_config::tags() const {
  std::vector<std::string> out;
  const std::string text = get("tags").value_or(std::string{});
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find_first_of(";, \t", begin), text.size());
    if (end > begin)
      out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

bool vm_config::onboot() const {
  return checked(values::parse_switch(get("onboot").value_or("0")));
}

bool vm_config::kvm() const { return checked(values::parse_switch(get("kvm").value_or("1"))); }

bool vm_config::agent() const {
  const auto enabled = first_word(get("agent"), "enabled");
  return !enabled.empty() && checked(values::parse_switch(enabled));
}

std::string vm_config::vga() const { return first_word(get("vga"), "type"); }

std::vector<std::string> vm_config::args() const {
  return checked(values::split_words(get("args").value_or(std::string{})));
}

std::string vm_config::uuid() const {
  const auto smbios = get("smbios1");
  return smbios ? values::find_property(*smbios, "uuid", {}).value_or(std::string{})
                : std::string{};
}

std::uint32_t vm_config::migrate_downtime_ms() const {
  const auto value = get("migrate_downtime");
  if (!value)
    return 0;
  double asked_s = 0;
  std::from_chars(value->data(), value->data() + value->size(), asked_s);
  const auto rounded = static_cast<std::uint32_t>(std::llround(asked_s * 1000));
  return asked_s > 0 ? std::max(rounded, std::uint32_t{1}) : 0;
}

std::uint64_t vm_config::migrate_speed_bytes_per_s() const {
  // Proxmox calls it MB/s and multiplies by 1024 twice.
  return std::uint64_t{number(get("migrate_speed"), 0)} * mebibyte;
}

std::vector<disk_entry> vm_config::disks() const {
  std::vector<disk_entry> out;
  for (const auto& key : keys_of(lines_, values::is_disk_key))
    out.push_back(checked(values::parse_disk(key, *get(key))));
  return out;
}

std::vector<net_entry> vm_config::nets() const {
  std::vector<net_entry> out;
  const auto is_net = [](const std::string& key) {
    const auto [bus, index] = values::split_key(key);
    return bus == "net" && index.has_value();
  };
  for (const auto& key : keys_of(lines_, is_net))
    out.push_back(checked(values::parse_net(key, *get(key))));
  return out;
}

std::vector<std::string> vm_config::host_devices() const {
  return keys_of(lines_, [&](const std::string& key) { return ties_to_host(key, *get(key)); });
}

bool disk_entry::is_cdrom() const { return option("media") == "cdrom" || volume == "cdrom"; }

std::optional<std::string> disk_entry::option(std::string_view name) const {
  for (const auto& [option_name, value] : options)
    if (option_name == name)
      return value;
  return std::nullopt;
}

} // namespace drover
