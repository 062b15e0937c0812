#include "runtime/guest/beacon_args.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

namespace {

constexpr std::uint32_t hz_max = 10'000;
// RAM above 3 GiB would move behind the PCI hole, out of the 32-bit guest's sight.
constexpr std::uint64_t memory_kib_max = 2 * 1024 * 1024;
constexpr std::uint64_t working_set_begin_kib = 1024;
constexpr std::uint64_t page_kib = 4;
// The guest addresses 28 bits of sectors.
constexpr std::uint32_t sectors_max = (1U << 28) - 1;
// Proxmox VE's least `memory:`; `-m` in args is what counts.
constexpr std::uint64_t memory_mib_least = 16;
constexpr std::uint32_t parameters_address = 0x600;
// Two KiB more than the longest path; a longer text is a mistake.
constexpr std::size_t text_max = 6'144;

/// Why a text cannot stand in a line of the config; empty = it can.
std::string objection(std::string_view text) {
  if (text.size() > text_max)
    return "is longer than " + std::to_string(text_max) + " bytes";
  const bool control = std::any_of(
    text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return control ? "holds a control character" : "";
}

std::string objection(const beacon_vm& vm) {
  const auto& s = vm.settings;
  if (vm.name.empty() || !objection(vm.name).empty())
    return "name: expected a word";
  if (s.hz == 0 || s.hz > hz_max)
    return "hz: expected 1 to " + std::to_string(hz_max) + ", got " + std::to_string(s.hz);
  if (s.pages_per_beat > 0 && s.working_set_pages == 0)
    return "working_set_pages: expected at least 1, because pages_per_beat is not 0";
  if (s.disk_step_beats > 0 && (s.disk_ring_sectors == 0 || s.disk_ring_sectors > sectors_max))
    return "disk_ring_sectors: expected 1 to " + std::to_string(sectors_max) +
           ", because disk_step_beats is not 0";
  if (beacon_memory_kib(s) > memory_kib_max)
    return "memory_kib: " + std::to_string(beacon_memory_kib(s)) +
           " KiB with the working set, more than " + std::to_string(memory_kib_max);
  for (const auto& [field, text] : std::array<std::pair<const char*, const std::string*>, 3>{
         {{"observer_socket", &vm.observer_socket}, {"image", &vm.image}, {"disk", &vm.disk}}})
    if (const auto why = objection(*text); !why.empty())
      return std::string(field) + ": " + why;
  return {};
}

/// A value inside a QEMU option: a comma would end it and is doubled.
std::string option_value(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == ',' ? std::string(",,") : std::string(1, c);
  return out;
}

/// A word of `args:`, which is split as a shell splits words.
std::string quoted(std::string_view word) {
  static constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-+=.,:/@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos)
    return std::string(word);
  std::string out = "'";
  for (const char c : word)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string hexadecimal(std::uint32_t value) {
  std::string out;
  for (; value > 0; value /= 16)
    out.insert(out.begin(), "0123456789abcdef"[value % 16]);
  return "0x" + out;
}

std::vector<std::string> beacon_words(const beacon_vm& vm) {
  const auto& s = vm.settings;
  // QEMU takes the last `-m` and merges the options of all `-machine`, so these words only add to
  // what the config's own keys say. What is switched off costs memory and time in each process.
  std::vector<std::string> words{
    "-machine",
    "usb=off,acpi=off,smm=off,vmport=off,hpet=off",
    "-m",
    std::to_string(beacon_memory_kib(s)) + "k",
    "-bios",
    vm.image.empty() ? beacon_image_path() : vm.image,
    "-chardev",
    vm.observer_socket.empty() ? std::string("null,id=beat")
                               : "socket,id=beat,path=" + option_value(vm.observer_socket),
    "-device",
    "isa-debugcon,chardev=beat,iobase=0xe9"};
  std::uint32_t address = parameters_address;
  for (const auto value :
       {s.hz, s.pages_per_beat, s.working_set_pages, s.disk_step_beats, s.disk_ring_sectors}) {
    words.emplace_back("-device");
    words.push_back(
      "loader,addr=" + hexadecimal(address) + ",data=" + std::to_string(value) + ",data-len=4");
    address += 4;
  }
  return words;
}

} // namespace

std::string beacon_image_path() { return DROVER_BEACON_IMAGE; }

std::uint64_t beacon_memory_kib(const beacon_settings& settings) {
  constexpr std::uint64_t step_kib = 256;
  constexpr std::uint64_t odd_kib = 8;
  const auto least = std::max<std::uint64_t>(
    settings.memory_kib, working_set_begin_kib + settings.working_set_pages * page_kib);
  const auto beyond = least > odd_kib ? least - odd_kib : 0;
  return (beyond + step_kib - 1) / step_kib * step_kib + odd_kib;
}

result<std::string> beacon_config(const beacon_vm& vm) {
  if (const auto why = objection(vm); !why.empty())
    return fail(errc::invalid, why, "beacon " + vm.name);
  std::string args;
  for (const auto& word : beacon_words(vm))
    args += " " + quoted(word);
  const auto memory_mib =
    std::max(memory_mib_least, (beacon_memory_kib(vm.settings) + 1023) / 1024);
  std::string text = "name: " + vm.name + "\nmemory: " + std::to_string(memory_mib) +
                     "\ncores: 1\nmachine: pc-i440fx-7.2\nkvm: 0\nvga: none\n";
  if (!vm.disk.empty())
    text += "ide0: " + vm.disk + "\n";
  return text + "args:" + args + "\n";
}

} // namespace drover
