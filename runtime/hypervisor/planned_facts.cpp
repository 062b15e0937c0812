#include "runtime/hypervisor/planned_facts.hpp"

#include "runtime/hypervisor/command_line.hpp"
#include "runtime/hypervisor/command_line_devices.hpp"

#include <algorithm>
#include <string_view>

namespace drover {
namespace {

/// The value of `key` in a QEMU option list; empty = none.
std::string option_in(std::string_view words, std::string_view key) {
  const auto wanted = "," + std::string(key) + "=";
  const auto at = words.find(wanted);
  if (at == std::string_view::npos)
    return {};
  const auto from = at + wanted.size();
  return std::string(words.substr(from, words.find(',', from) - from));
}

/// A device's type by any name that QEMU takes for it (qdev_alias_table).
std::string type_of(std::string_view word) {
  const auto name = word.substr(0, word.find(','));
  return std::string(name == "ahci" ? "ich9-ahci" : name);
}

std::string small_letters(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::vector<std::string> devices_of(const vm_config& config, const launch_facts& facts) {
  std::vector<std::string> devices;
  auto words = device_words(config, facts);
  for (auto& word : config.args())
    words.push_back(std::move(word));
  std::size_t nameless = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] != "-device")
      continue;
    auto id = option_in(words[i + 1], "id");
    if (id.empty())
      id = "device[" + std::to_string(nameless++) + "]";
    devices.push_back(id + " " + type_of(words[i + 1]));
  }
  std::sort(devices.begin(), devices.end());
  return devices;
}

/// Whether it is known what an option of `args` makes of the machine. Memory is told by
/// `vm_config::memory_bytes`, devices by `devices_of`.
bool is_understood(std::string_view option, std::string_view value) {
  if (option == "-m" || option == "-bios" || option == "-chardev")
    return true;
  const auto first = value.substr(0, value.find(','));
  const bool names_a_type = first.find('=') == std::string_view::npos;
  if (option == "-machine")
    return !names_a_type && !first.starts_with("type=");
  return option == "-device" && names_a_type && !first.starts_with("{");
}

} // namespace

wire::machine_facts planned_facts(const vm_config& config, const launch_facts& facts) {
  return {config.machine(),      cpu_model(config) + "-x86_64-cpu", config.cpus(),
          config.memory_bytes(), small_letters(config.uuid()),      devices_of(config, facts)};
}

std::optional<wire::machine_facts> lasting_facts(const std::string& started_config) {
  const auto config = vm_config::parse(started_config);
  if (!config || !is_planned_whole(*config) || config->machine().empty() || config->uuid().empty())
    return std::nullopt;
  wire::machine_facts facts;
  facts.machine = config->machine();
  facts.uuid = small_letters(config->uuid());
  return facts;
}

bool is_planned_whole(const vm_config& config) {
  const auto words = config.args();
  if (words.size() % 2 != 0)
    return false;
  for (std::size_t i = 0; i < words.size(); i += 2)
    if (!is_understood(words[i], words[i + 1]))
      return false;
  return true;
}

} // namespace drover
