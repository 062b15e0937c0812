// What each known key accepts. The limits are those of Proxmox VE's schema (qemu-server), so that a
// config that Proxmox takes passes here too.
#include "runtime/store/vm_config_values.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

namespace drover::config_values {
namespace {

using check = std::string (*)(std::string_view);

constexpr std::string_view alphanumeric =
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool consists_of(std::string_view text, std::string_view also) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return alphanumeric.find(c) != std::string_view::npos || also.find(c) != std::string_view::npos;
  });
}

template <class T>
std::string why(const parsed<T>& value) {
  return value ? std::string{} : value.error();
}

template <std::uint64_t Least, std::uint64_t Greatest>
std::string check_number(std::string_view value) {
  return why(parse_number(value, Least, Greatest));
}

std::string check_switch(std::string_view value) { return why(parse_switch(value)); }

template <const auto& Words>
std::string check_one_of(std::string_view value) {
  if (std::find(Words.begin(), Words.end(), value) != Words.end())
    return {};
  std::string out = "one of";
  for (const auto word : Words)
    out += " " + std::string(word);
  return out;
}

constexpr std::array<std::string_view, 2> bios_words{"seabios", "ovmf"};
constexpr std::array<std::string_view, 9> lock_words{"backup",          "clone",      "create",
                                                     "migrate",         "rollback",   "snapshot",
                                                     "snapshot-delete", "suspending", "suspended"};

std::string check_name(std::string_view value) {
  const bool right = value.size() <= 253 && consists_of(value, "-.") && value.front() != '-' &&
                     value.back() != '-' && value.front() != '.';
  return right ? std::string{} : "a DNS name (letters, digits, '-' and '.')";
}

std::string check_memory(std::string_view value) {
  if (auto properties = split_properties(value); !properties)
    return properties.error();
  const auto current = find_property(value, "current", "current");
  if (!current)
    return "the RAM in MiB";
  auto wrong = check_number<16, 4194304>(*current);
  return wrong.empty() ? wrong : wrong + " (MiB)";
}

/// A property string whose first word is a type name.
template <const char* Key>
std::string check_type(std::string_view value) {
  if (auto properties = split_properties(value); !properties)
    return properties.error();
  const auto type = find_property(value, Key, Key);
  const bool right = type && consists_of(*type, "_.+-");
  return right ? std::string{} : "a type name, then options";
}

constexpr char type_key[] = "type";
constexpr char cputype_key[] = "cputype";

std::string check_tags(std::string_view value) {
  return consists_of(value, "_-+.;, \t") ? std::string{}
                                         : "words of letters, digits and _-+. between ';'";
}

std::string check_agent(std::string_view value) {
  if (auto properties = split_properties(value); !properties)
    return properties.error();
  const auto enabled = find_property(value, "enabled", "enabled");
  return enabled ? check_switch(*enabled) : "1 or 0, then options";
}

std::string check_args(std::string_view value) {
  const auto words = split_words(value);
  return words ? why(memory_in_words(*words)) : words.error();
}

std::string check_smbios(std::string_view value) {
  if (auto properties = split_properties(value); !properties)
    return properties.error();
  const auto uuid = find_property(value, "uuid", {});
  if (!uuid)
    return {};
  constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const bool right =
    std::equal(uuid->begin(), uuid->end(), form.begin(), form.end(), [](char c, char f) {
      return f == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
    });
  return right ? std::string{} : "uuid=" + std::string(form) + " of hexadecimal digits";
}

std::string check_downtime(std::string_view value) {
  constexpr std::string_view right = "seconds from 0 to 2000, such as 0.1";
  const auto dot = value.find('.');
  const auto whole = value.substr(0, dot);
  const auto fraction = dot == std::string_view::npos ? "0" : value.substr(dot + 1);
  const bool fits =
    parse_number(whole, 0, 1999) && fraction.size() <= 9 && parse_number(fraction, 0, 999999999);
  const bool greatest = parse_number(whole, 2000, 2000) && dot == std::string_view::npos;
  return fits || greatest ? std::string{} : std::string(right);
}

/// Known keys without a number.
const std::map<std::string_view, check>& plain_checks() {
  static const std::map<std::string_view, check> table{
    {"agent", check_agent},
    {"args", check_args},
    {"bios", check_one_of<bios_words>},
    {"cores", check_number<1, 1024>},
    {"cpu", check_type<cputype_key>},
    {"kvm", check_switch},
    {"lock", check_one_of<lock_words>},
    {"machine", check_type<type_key>},
    {"memory", check_memory},
    {"migrate_downtime", check_downtime},
    {"migrate_speed", check_number<0, 4294967295>},
    {"name", check_name},
    {"onboot", check_switch},
    {"sockets", check_number<1, 64>},
    {"tags", check_tags},
    {"vga", check_type<type_key>},
  };
  return table;
}

/// Highest number of the keys that have one.
const std::map<std::string_view, std::uint32_t>& highest_numbers() {
  static const std::map<std::string_view, std::uint32_t> table{
    {"hostpci", 15}, {"ide", 3},    {"net", 31}, {"parallel", 2}, {"sata", 5},
    {"scsi", 30},    {"serial", 3}, {"usb", 13}, {"virtio", 15}};
  return table;
}

} // namespace

parsed<disk_entry> parse_disk(std::string_view key, std::string_view value) {
  auto properties = split_properties(value);
  if (!properties)
    return tl::unexpected(properties.error());
  disk_entry disk{std::string(key), {}, {}};
  for (auto& [name, text] : *properties) {
    if (name.empty() || name == "file")
      disk.volume = std::move(text);
    else
      disk.options.emplace_back(std::move(name), std::move(text));
  }
  const auto& volume = disk.volume;
  const auto colon = volume.find(':');
  const bool in_storage = colon != std::string::npos && colon > 0 && colon + 1 < volume.size() &&
                          consists_of(std::string_view(volume).substr(0, colon), "-_.");
  if (!in_storage && !volume.starts_with('/') && volume != "none" && volume != "cdrom")
    return tl::unexpected<std::string>(
      "'storage:volume', an absolute path, 'none' or 'cdrom', then options");
  if (const auto size = disk.option("size"); size && !parse_size(*size, 'B'))
    return tl::unexpected<std::string>("size=N with K, M, G or T");
  return disk;
}

parsed<net_entry> parse_net(std::string_view key, std::string_view value) {
  static constexpr std::array<std::string_view, 15> models{
    "e1000",  "e1000-82540em", "e1000-82544gc", "e1000-82545em", "e1000e",
    "i82551", "i82557b",       "i82559er",      "ne2k_isa",      "ne2k_pci",
    "pcnet",  "rtl8139",       "virtio",        "vmxnet3",       "model"};
  auto properties = split_properties(value);
  if (!properties)
    return tl::unexpected(properties.error());
  net_entry net{std::string(key), {}, {}, {}};
  for (auto& [name, text] : *properties) {
    if (name.empty() || name == "model") {
      net.model = std::move(text);
    } else if (name == "macaddr") {
      net.mac = std::move(text);
    } else if (std::find(models.begin(), models.end(), name) != models.end()) {
      net.model = std::move(name);
      net.mac = std::move(text);
    } else {
      net.options.emplace_back(std::move(name), std::move(text));
    }
  }
  if (net.model == "model" || std::find(models.begin(), models.end(), net.model) == models.end())
    return tl::unexpected<std::string>("a model such as virtio=MAC, then options");
  constexpr std::string_view form = "xx:xx:xx:xx:xx:xx";
  const bool right =
    std::equal(net.mac.begin(), net.mac.end(), form.begin(), form.end(), [](char c, char f) {
      return f == ':' ? c == ':' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
    });
  if (!net.mac.empty() && !right)
    return tl::unexpected<std::string>("a MAC address such as BC:24:11:00:00:01");
  return net;
}

std::string objection(std::string_view key, std::string_view value) {
  if (key == "smbios1")
    return check_smbios(value);
  if (const auto plain = plain_checks().find(key); plain != plain_checks().end())
    return plain->second(value);
  const auto [bus, index] = split_key(key);
  const auto highest = highest_numbers().find(bus);
  if (highest == highest_numbers().end() || !index)
    return {};
  if (*index > highest->second)
    return "no number above " + std::to_string(highest->second) + " after '" + std::string(bus) +
           "'";
  if (bus == "net")
    return why(parse_net(key, value));
  if (is_disk_key(key))
    return why(parse_disk(key, value));
  return bus == "usb" || bus == "hostpci" ? why(split_properties(value)) : std::string{};
}

} // namespace drover::config_values
