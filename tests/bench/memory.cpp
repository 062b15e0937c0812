#include "tests/bench/memory.hpp"

#include "tests/bench/evacuation.hpp"

#include <cstdio>
#include <fmt/format.h>

namespace drover::bench {

using nlohmann::ordered_json;

namespace {

constexpr double kib = 1024;

double per_vm_kb(std::uint64_t few, std::uint64_t many, int difference) {
  return (static_cast<double>(many) - static_cast<double>(few)) / 1000 / difference;
}

void print_head() {
  fmt::print("{:<34} {:>7} {:>10} {:>10}\n", "peak of", "VMs", "MiB", "kB a VM");
}

void print_row(const std::string& what, int vms, std::uint64_t bytes) {
  fmt::print("{:<34} {:>7} {:>10.1f}\n", what, vms, static_cast<double>(bytes) / kib / kib);
  std::fflush(stdout);
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
    print_row(g.what, vms, bytes);
  }
  const double kb = per_vm_kb(few, many, g.many - g.few);
  fmt::print("{:<34} {:>7} {:>10} {:>10.1f}\n", "", "", "", kb);
  return {{"vms_few", g.few}, {"vms_many", g.many}, {"kb_per_vm", kb}};
}

} // namespace

ordered_json measure_memory(const memory_sizes& sizes) {
  print_head();
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
