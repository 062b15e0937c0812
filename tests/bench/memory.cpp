#include "tests/bench/memory.hpp"

#include "tests/bench/evacuation.hpp"
#include "tests/bench/table.hpp"

#include <fmt/format.h>

namespace drover::bench {

using nlohmann::ordered_json;

namespace {

constexpr double mib = 1024.0 * 1024.0;

double per_vm_kb(std::uint64_t few, std::uint64_t many, int difference) {
  return (static_cast<double>(many) - static_cast<double>(few)) / 1000 / difference;
}

struct growth {
  std::string what;
  bench_machines machines;
  std::uint64_t used_resources::*peak;
  int few;
  int many;
};

ordered_json measure(const growth& g) {
  std::uint64_t few = 0;
  std::uint64_t many = 0;
  for (const int vms : {g.few, g.many}) {
    const bench_cluster cluster{{{vms, 0, 0, 0}, g.machines}};
    auto& bytes = vms == g.few ? few : many;
    bytes = evacuate(cluster, {}).used.*g.peak;
    say(fmt::format("{:<34} {:>7} {:>10.1f}", g.what, vms, static_cast<double>(bytes) / mib));
  }
  const double kb = per_vm_kb(few, many, g.many - g.few);
  say(fmt::format("{:<34} {:>7} {:>10} {:>10.1f}", "", "", "", kb));
  return {{"vms_few", g.few}, {"vms_many", g.many}, {"kb_per_vm", kb}};
}

} // namespace

ordered_json measure_memory(const memory_sizes& sizes) {
  say(fmt::format("{:<34} {:>7} {:>10} {:>10}", "peak of", "VMs", "MiB", "kB a VM"));
  ordered_json told;
  told["controller"] = measure(
    {"controller, simulated VMs", bench_machines::numbers, &used_resources::controller_bytes,
     sizes.waiting_few, sizes.waiting_many});
  told["agent"] = measure(
    {"largest agent, QEMUs", bench_machines::qemu, &used_resources::agent_bytes, sizes.vms_few,
     sizes.vms_many});
  return told;
}

} // namespace drover::bench
