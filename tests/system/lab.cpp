#include "tests/system/lab.hpp"

#include "runtime/guest/beacon_args.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>

namespace drover::testing {

using namespace std::chrono_literals;

lab::lab(const std::vector<lab_vm>& vms) : lab(vms, {{"path", "store"}}, {}) {}

lab::lab(const std::vector<lab_vm>& vms, const nlohmann::json& store, const config_writer& write)
  : vms_(vms) {
  prctl(PR_SET_CHILD_SUBREAPER, 1); // QEMUs outlive their agents and are reaped here.
  nlohmann::json nodes;
  for (const std::string node : {"n1", "n2", "n3"}) {
    std::filesystem::create_directories(directory() / node);
    std::filesystem::create_directories(directory() / "store/nodes" / node / "qemu-server");
    nodes[node] = {{"run_dir", node}, {"memory", "1G"}};
  }
  std::filesystem::create_directories(directory() / "beats");
  std::ofstream{cluster_file()} << nlohmann::json{
    {"name", "lab"}, {"store", store}, {"nodes", nodes}, {"accel", "tcg"}};
  auto opened = beacon_watcher::open(directory() / "beats");
  REQUIRE(opened);
  beacons_ = std::move(*opened);
  for (const auto& vm : vms_) {
    const auto socket = beacons_->watch(vm_id{vm.number});
    REQUIRE(socket);
    beacon_vm beacon;
    beacon.name = "beacon-" + std::to_string(vm.number);
    beacon.observer_socket = *socket;
    beacon.settings.hz = 50;
    beacon.settings.working_set_pages = vm.working_set_pages;
    beacon.settings.pages_per_beat = vm.pages_per_beat;
    auto text = beacon_config(beacon);
    REQUIRE(text);
    if (vm.migrate_speed_mb > 0)
      *text += "migrate_speed: " + std::to_string(vm.migrate_speed_mb) + "\n";
    if (write)
      write(vm, *text);
    else
      std::ofstream{config_path(vm.node, vm.number)} << *text;
  }
}

std::vector<std::string> lab::low_processes() const {
  std::vector<std::string> low;
  const auto first_line = [](const std::string& path) {
    std::ifstream in{path};
    std::string line;
    std::getline(in, line);
    return line;
  };
  for (const auto pid : processes_with(directory().string())) {
    const auto process = "/proc/" + std::to_string(pid);
    const auto session = first_line(process + "/autogroup");
    const bool lowered = sched_getscheduler(pid) == SCHED_IDLE;
    if (lowered || session.ends_with(" nice 19"))
      low.push_back(
        session + ", " + first_line(process + "/stat") + ", " + first_line(process + "/cmdline"));
  }
  return low;
}

lab::~lab() {
  for (int round = 0; round < 300; ++round) {
    const auto left = processes_with(directory().string());
    if (left.empty())
      break;
    for (const auto pid : left)
      kill(pid, SIGKILL);
    std::this_thread::sleep_for(10ms);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

std::string lab::config_path(const std::string& node, std::uint32_t vm) const {
  return (directory() / "store/nodes" / node / "qemu-server" / (std::to_string(vm) + ".conf"))
    .string();
}

std::vector<std::string> lab::command(std::vector<std::string> words) const {
  std::vector<std::string> argv{
    DROVER_PROGRAM, "--cluster", cluster_file(), "--state-dir", (directory() / "state").string()};
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

finished_program lab::run(std::vector<std::string> words, std::chrono::seconds patience) const {
  return run_program(command(std::move(words)), patience);
}

nlohmann::json lab::run_json(std::vector<std::string> words, std::chrono::seconds patience) const {
  words.insert(words.end(), {"-o", "json"});
  const auto ended = run(std::move(words), patience);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  auto parsed = nlohmann::json::parse(ended.out, nullptr, false);
  REQUIRE(parsed.is_object());
  return parsed;
}

void lab::start_all() {
  std::vector<std::string> words{"vm", "start"};
  for (const auto& vm : vms_)
    words.push_back(std::to_string(vm.number));
  const auto ended = run(std::move(words), 120s);
  INFO(ended.out << ended.err);
  REQUIRE(ended.exit_code == 0);
  for (const auto& vm : vms_)
    REQUIRE(beacons_->wait_for_beats(vm_id{vm.number}, 3, 30s));
}

} // namespace drover::testing
