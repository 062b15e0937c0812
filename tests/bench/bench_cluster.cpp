#include "tests/bench/bench_cluster.hpp"

#include "runtime/guest/beacon_args.hpp"

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>

namespace drover::bench {

using namespace std::chrono_literals;

namespace {

constexpr int first_vm = 1000;

} // namespace

bench_cluster::bench_cluster(const bench_guests& guests) {
  prctl(PR_SET_CHILD_SUBREAPER, 1); // QEMUs outlive their agents and are reaped here.
  nlohmann::json nodes;
  for (const std::string node : {"n1", "n2"}) {
    std::filesystem::create_directories(directory_.path() / node);
    std::filesystem::create_directories(directory_.path() / "store/nodes" / node / "qemu-server");
    nodes[node] = {{"run_dir", node}, {"memory", "16G"}};
  }
  std::ofstream{directory_.path() / "bench.json"} << nlohmann::json{
    {"name", "bench"}, {"store", {{"path", "store"}}}, {"nodes", nodes}, {"stream", "plain"}};
  std::vector<std::string> start{"vm", "start"};
  for (int i = 0; i < guests.count; ++i) {
    const auto number = std::to_string(first_vm + i);
    beacon_vm beacon;
    beacon.name = "beacon-" + number;
    beacon.settings.hz = 1;
    beacon.settings.memory_kib = guests.memory_kib;
    std::ofstream{directory_.path() / "store/nodes/n1/qemu-server" / (number + ".conf")}
      << beacon_config(beacon).value();
    start.push_back(number);
  }
  const auto started = testing::run_program(drover(start), 300s);
  if (started.exit_code != 0)
    throw std::runtime_error("the VMs do not start: " + started.err);
}

bench_cluster::~bench_cluster() {
  for (int round = 0; round < 500; ++round) {
    const auto left = testing::processes_with(directory_.path().string());
    if (left.empty())
      break;
    for (const auto pid : left)
      kill(pid, SIGKILL);
    std::this_thread::sleep_for(10ms);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

std::vector<std::string> bench_cluster::drover(std::vector<std::string> words) const {
  const auto at = directory_.path();
  std::vector<std::string> argv{
    DROVER_PROGRAM, "--cluster", (at / "bench.json").string(), "--state-dir",
    (at / "state").string()};
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

std::string bench_cluster::run_dir(const std::string& node) const {
  return std::filesystem::canonical(directory_.path() / node).string();
}

} // namespace drover::bench
