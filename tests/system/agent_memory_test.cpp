// What each VM costs an agent in memory: one that looks after forty QEMUs beside one that has none.
#include "tests/runtime/agent/agent_program.hpp"
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <iostream>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t vm_count = 40;
constexpr double kb_max = 200;

std::vector<lab_vm> all_on_n1() {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < vm_count; ++i)
    vms.push_back({100 + i});
  return vms;
}

/// kB that are resident once the agent has answered for all its VMs.
double resident_kb(const lab& cluster, const std::string& node, std::size_t running) {
  test::agent_program agent{
    {DROVER_AGENT_PROGRAM, "--stdio", "--node", node, "--run-dir",
     (cluster.directory() / node).string(), "--store",
     "pmxcfs:" + (cluster.directory() / "store").string(), "--accel", "tcg"}};
  REQUIRE(test::ask(agent, wire::hello{wire::protocol_version, "test:1"}));
  const auto list = test::ask(agent, wire::list_vms{});
  REQUIRE(list);
  CHECK(list->vms.size() == running);
  for (const auto& vm : list->vms)
    CHECK(vm.state == wire::run_state::running);
  std::ifstream status{"/proc/" + std::to_string(agent.pid()) + "/status"};
  for (std::string word; status >> word;)
    if (double kib = 0; word == "VmRSS:" && status >> kib)
      return kib * 1.024;
  FAIL("the agent has gone");
  return 0;
}

} // namespace

TEST_CASE("an agent needs less than 200 kB for each VM", "[system]") {
  lab cluster{all_on_n1()};
  cluster.start_all();
  const double none = resident_kb(cluster, "n2", 0);
  const double all = resident_kb(cluster, "n1", vm_count);
  const double each = (all - none) / vm_count;
  std::cout << "an agent has " << none << " kB, and " << each << " kB more for each VM\n";
  CHECK(each < kb_max);
  CHECK(none > 1000); // It was an agent that was looked at.
}
