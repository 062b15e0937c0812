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

/// Run directories lie in memory on a node too (/run); on a disk, the making of a file is what is
/// measured.
std::string place_in_memory() {
  return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
}

} // namespace

bench_cluster::bench_cluster(bench_guests guests, bench_link link)
  : guests_(std::move(guests)), directory_(place_in_memory()) {
  prctl(PR_SET_CHILD_SUBREAPER, 1); // QEMUs outlive their agents and are reaped here.
  if (link == bench_link::ssh)
    noted_sshd_.emplace(sshd_.emplace().directory());
  const auto vms = write_nodes();
  write_cluster_file();
  if (guests_.machines == bench_machines::numbers)
    return;
  std::vector<std::string> start{"vm", "start"};
  start.insert(start.end(), vms.begin(), vms.end());
  const auto started = testing::run_program(drover(start), 600s);
  if (started.exit_code != 0)
    throw std::runtime_error("the VMs do not start: " + started.err);
}

std::vector<std::string> bench_cluster::write_nodes() {
  std::vector<std::string> vms;
  int vm = first_vm;
  for (const int count : guests_.on_nodes) {
    const auto& node = nodes_.emplace_back("n" + std::to_string(nodes_.size() + 1));
    const auto configs = directory_.path() / "store/nodes" / node / "qemu-server";
    std::filesystem::create_directories(configs);
    std::filesystem::create_directories(directory_.path() / node);
    if (guests_.machines == bench_machines::numbers)
      std::ofstream{directory_.path() / node / "all-run"};
    for (int i = 0; i < count; ++i, ++vm) {
      const auto& number = vms.emplace_back(std::to_string(vm));
      std::ofstream{configs / (number + ".conf")} << config_of(vm);
    }
  }
  return vms;
}

std::string bench_cluster::config_of(int vm) const {
  if (guests_.machines == bench_machines::numbers)
    return "name: number-" + std::to_string(vm) + "\nmemory: 16\ncores: 1\n";
  beacon_vm beacon;
  beacon.name = "beacon-" + std::to_string(vm);
  beacon.settings.hz = 1;
  return beacon_config(beacon).value();
}

void bench_cluster::write_cluster_file() const {
  nlohmann::json cluster{{"name", "bench"}, {"store", {{"path", "store"}}}, {"stream", "plain"}};
  for (const auto& node : nodes_)
    cluster["nodes"][node] = {{"run_dir", node}, {"memory", "1T"}};
  if (guests_.machines == bench_machines::numbers)
    cluster["agent"] = DROVER_MEMORY_AGENT;
  if (sshd_) {
    cluster["link"] = "ssh";
    cluster["ssh"] = {
      {"user", testing::test_sshd::user()},
      {"identity_file", sshd_->identity()},
      {"known_hosts", sshd_->known_hosts()},
      {"agent", DROVER_AGENT_PROGRAM}};
    for (const auto& node : nodes_) {
      cluster["nodes"][node]["host"] = "127.0.0.1";
      cluster["nodes"][node]["port"] = sshd_->port();
    }
  }
  std::ofstream{directory_.path() / "bench.json"} << cluster;
}

bench_cluster::~bench_cluster() {
  const auto reap = [] {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  };
  for (int round = 0; round < 500; ++round) {
    const auto left = testing::processes_with(mark());
    if (left.empty())
      break;
    for (const auto pid : left)
      kill(pid, SIGKILL);
    std::this_thread::sleep_for(10ms);
    reap();
  }
  reap();
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

std::vector<pid_t> bench_cluster::servers() const {
  return sshd_ ? std::vector<pid_t>{sshd_->pid()} : std::vector<pid_t>{};
}

} // namespace drover::bench
