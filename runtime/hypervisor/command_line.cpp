#include "runtime/hypervisor/command_line.hpp"

#include "runtime/base/check.hpp"
#include "runtime/hypervisor/command_line_devices.hpp"
#include "runtime/hypervisor/run_files.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>
#include <utility>

namespace drover {

namespace {

constexpr std::uint64_t kibibyte = 1024;
constexpr std::uint64_t mebibyte = 1024 * kibibyte;

/// Proxmox VE's models by microarchitecture level, which QEMU itself does not have: qemu64 and the
/// features of the level that it lacks.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> level_models{{
  {"x86-64-v2", "qemu64,+popcnt,+pni,+sse4.1,+sse4.2,+ssse3"},
  {"x86-64-v2-AES", "qemu64,+aes,+popcnt,+pni,+sse4.1,+sse4.2,+ssse3"},
  {"x86-64-v3",
   "qemu64,+abm,+aes,+avx,+avx2,+bmi1,+bmi2,+f16c,+fma,+movbe,+pni,+popcnt,+sse4.1,+sse4.2,+ssse3,"
   "+xsave"},
  {"x86-64-v4",
   "qemu64,+abm,+aes,+avx,+avx2,+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl,+bmi1,+bmi2,"
   "+f16c,+fma,+movbe,+pni,+popcnt,+sse4.1,+sse4.2,+ssse3,+xsave"},
}};

struct cpu_choice {
  std::string model;
  std::vector<std::string> flags;
};

cpu_choice read_cpu(const std::string& value) {
  cpu_choice choice;
  std::istringstream parts(value);
  for (std::string part; std::getline(parts, part, ',');) {
    const auto equals = part.find('=');
    const auto key = equals == std::string::npos ? "cputype" : part.substr(0, equals);
    const auto text = equals == std::string::npos ? part : part.substr(equals + 1);
    if (key == "cputype")
      choice.model = text;
    if (key != "flags")
      continue;
    std::istringstream flags(text);
    for (std::string flag; std::getline(flags, flag, ';');)
      choice.flags.push_back(flag);
  }
  return choice;
}

std::string cpu_word(const vm_config& config) {
  const auto choice = read_cpu(config.cpu());
  std::string word = choice.model;
  for (const auto& [level, model] : level_models)
    if (choice.model == level)
      word = model;
  for (const auto& flag : choice.flags)
    word += "," + flag;
  return word;
}

/// A config without a uuid gets one that is the same on every node and at every start.
std::string uuid_for(vm_id vm) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "64726f76-6572-4000-8000-0000%08x", vm.value);
  return text.data();
}

/// MiB of the translation cache. QEMU's default reserves up to 1 GiB of address space for every VM
/// and 2 MiB more resident; a small guest has little code to translate, and one that has more only
/// loses time when the cache is flushed.
std::uint64_t translation_cache_mib(std::uint64_t memory_bytes) {
  return std::clamp<std::uint64_t>(memory_bytes / mebibyte / 4, 1, 512);
}

std::string accelerator_word(const vm_config& config) {
  if (config.kvm())
    return "kvm";
  return "tcg,tb-size=" + std::to_string(translation_cache_mib(config.memory_bytes()));
}

/// Two control sockets, because a QMP socket serves one client at a time: one for the agent's
/// lasting connection, one that is free when that one hangs.
std::vector<std::string> monitor_words() {
  std::vector<std::string> words;
  for (const auto& [id, fd] : {std::pair{"control", control_fd}, std::pair{"rescue", rescue_fd}}) {
    words.insert(
      words.end(),
      {"-chardev",
       std::string("socket,id=") + id + ",fd=" + std::to_string(fd) + ",server=on,wait=off", "-mon",
       std::string("chardev=") + id + ",mode=control"});
  }
  return words;
}

} // namespace

accelerator accelerator_for(const vm_config& config, const host_facts& host) {
  return config.kvm() ? host.best : accelerator::tcg;
}

std::string canonical_machine(const vm_config& config, const host_facts& host) {
  auto name = config.machine().empty() ? std::string{"pc"} : config.machine();
  name = name.substr(0, name.find("+pve"));
  if (const auto alias = host.machine_aliases.find(name); alias != host.machine_aliases.end())
    return alias->second;
  return host.machines.contains(name) ? name : std::string{};
}

vm_config pinned(const vm_config& config, const launch_facts& facts) {
  auto out = config;
  const auto accel = accelerator_for(config, facts.host);
  out.set("machine", canonical_machine(config, facts.host));
  out.set("kvm", accel == accelerator::kvm ? "1" : "0");
  auto cpu = config.cpu();
  if (read_cpu(cpu).model.empty()) {
    const std::string model = accel == accelerator::kvm ? "kvm64" : "qemu64";
    cpu = cpu.empty() ? model : model + "," + cpu;
    out.set("cpu", cpu);
  }
  if (config.uuid().empty()) {
    const auto smbios = config.get("smbios1").value_or("");
    out.set("smbios1", "uuid=" + uuid_for(facts.vm) + (smbios.empty() ? "" : "," + smbios));
  }
  return out;
}

std::string cpu_model(const vm_config& config) {
  const auto word = cpu_word(config);
  return word.substr(0, word.find(','));
}

std::vector<std::string> command_line(const vm_config& config, const launch_facts& facts) {
  const run_files files(facts.run_dir, facts.vm);
  const auto name = config.name().empty() ? "vm" + to_string(facts.vm) : config.name();
  // The pid file is in the words, so that a process tells by its command line whose VM it is; QEMU
  // locks it, so that no second one starts from the same run directory.
  std::vector<std::string> words{
    facts.binary,
    "-name",
    "guest=" + option_value(name) + ",debug-threads=on",
    "-pidfile",
    files.pid().native(),
    "-no-user-config",
    "-nodefaults",
    "-display",
    "none"};
  const auto add = [&words](std::vector<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  add(monitor_words());
  add({"-machine", config.machine(), "-accel", accelerator_word(config), "-cpu", cpu_word(config)});
  add(
    {"-smp", std::to_string(config.cpus()) + ",sockets=" + std::to_string(config.sockets()) +
               ",cores=" + std::to_string(config.cores()) + ",threads=1"});
  add({"-m", std::to_string(config.memory_bytes() / kibibyte) + "k", "-uuid", config.uuid()});
  add(device_words(config, facts));
  add(facts.host.switch_words);
  if (facts.mode == launch_mode::receive)
    add({"-incoming", "defer", "-S"});
  add(config.args());
  return words;
}

std::vector<std::string> tap_bridges(const vm_config& config) {
  std::vector<std::string> bridges;
  for (const auto& net : config.nets())
    for (const auto& [key, value] : net.options)
      if (key == "bridge")
        bridges.push_back(value);
  return bridges;
}

} // namespace drover
