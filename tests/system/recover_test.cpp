// The controller is killed at a chosen event of an evacuation, and agents with it: `drover recover`
// brings every VM to exactly one running copy at its owner, with nothing left over.
#include "tests/system/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <map>
#include <random>
#include <sstream>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

std::vector<lab_vm> some_vms(std::uint32_t count) {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < count; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  return vms;
}

/// By node; only those that run.
std::map<std::string, std::size_t> running_by_node(lab& l) {
  std::map<std::string, std::size_t> count{{"n1", 0}, {"n2", 0}, {"n3", 0}};
  std::map<int, std::size_t> copies;
  const auto listed = l.run_json({"vm", "list"}, 60s);
  for (const auto& vm : listed.at("vms"))
    if (vm.at("state") == "running") {
      CHECK(vm.at("config_here") == true);
      CHECK(vm.at("lock") == "");
      ++count[vm.at("node")];
      ++copies[vm.at("vmid")];
    }
  for (const auto& vm : l.vms()) {
    INFO("VM " << vm.number);
    CHECK(copies[static_cast<int>(vm.number)] == 1);
  }
  return count;
}

std::string fullest(const std::map<std::string, std::size_t>& count) {
  return std::max_element(
           count.begin(), count.end(),
           [](const auto& a, const auto& b) { return a.second < b.second; })
    ->first;
}

struct doom {
  std::string words;
  std::uint64_t count = 1;
  std::string agents = "none";
  std::string how = "ticket";
};

/// What it printed when it lived to the end; nullopt = it was killed.
std::optional<std::uint64_t> evacuate_doomed(lab& l, const std::string& node, const doom& d) {
  const auto ended = run_program(
    {DROVER_DOOMED_CONTROLLER, l.cluster_file(), node, d.how, d.words, std::to_string(d.count),
     d.agents},
    120s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  if (ended.exit_code == 128 + SIGKILL)
    return std::nullopt;
  REQUIRE(ended.exit_code == 0);
  return std::stoull(ended.out);
}

void require_recovered(lab& l) {
  const auto first = l.run_json({"recover"}, 120s);
  INFO(first.dump(2));
  REQUIRE(first.at("exit_code") == 0);
  const auto again = l.run_json({"recover"}, 60s);
  INFO(again.dump(2));
  CHECK(again.at("exit_code") == 0);
  CHECK(again.at("actions").empty());
  const auto unfinished = l.run_json({"status"}, 60s).at("unfinished");
  INFO(unfinished.dump(2));
  CHECK(unfinished.empty());
  CHECK(l.low_processes() == std::vector<std::string>{});
  for (const auto& vm : l.vms()) {
    INFO("VM " << vm.number);
    REQUIRE(l.beacons().wait_for_beats(vm_id{vm.number}, 3, 30s));
    const auto report = l.beacons().report(vm_id{vm.number});
    INFO(to_string(*report));
    CHECK(report->contiguous());
  }
}

void doom_and_recover(lab& l, const doom& d) {
  INFO(
    "killed at " << d.count << " x '" << d.words << "', with agents " << d.agents << ", under "
                 << d.how);
  const auto node = fullest(running_by_node(l));
  const auto lived = evacuate_doomed(l, node, d);
  CHECK_FALSE(lived);
  require_recovered(l);
}

/// Every kind of event that an evacuation has, and every phase that a VM comes to.
std::vector<std::string> named_events() {
  std::vector<std::string> all;
  for (const auto* phase :
       {"beginning", "receiving", "queued", "streaming", "taking_over", "claiming", "cleaning"})
    all.push_back("\"to\":\"" + std::string{phase} + "\"");
  for (const auto* name :
       {"permits_granted", "barrier_passed", "store_operation", "pause_mark", "migration_ended",
        "evacuation_started", "evacuation_ended"})
    all.push_back("\"event\":\"" + std::string{name} + "\"");
  return all;
}

const std::vector<std::string> all_agents{"none", "n1", "n2,n3", "n1,n2,n3"};

} // namespace

TEST_CASE("killed at every named event, with and without agents, all is recovered", "[system]") {
  lab l{some_vms(4)};
  l.start_all();
  std::size_t turn = 0;
  for (const auto& words : named_events()) {
    doom_and_recover(l, {words, 1, "none"});
    doom_and_recover(l, {words, 1, all_agents[1 + turn++ % 3]});
  }
}

TEST_CASE("killed at random events of any policy, all is recovered", "[system]") {
  lab l{some_vms(6)};
  l.start_all();
  std::mt19937 luck{6};
  const std::vector<std::string> policies{"ticket", "claim", "early", "nocheck", "lock"};
  for (std::size_t i = 0; i < 10; ++i)
    doom_and_recover(l, {"", 1 + luck() % 60, all_agents[i % 4], policies[i % 5]});
}

TEST_CASE("an evacuation begins with a recovery", "[system]") {
  lab l{some_vms(4)};
  l.start_all();
  CHECK_FALSE(evacuate_doomed(l, "n1", {"\"to\":\"taking_over\"", 1, "n1,n2,n3"}));
  const auto ended = l.run({"evacuate", "n1"}, 120s);
  INFO(ended.out << ended.err);
  CHECK(ended.exit_code == 0);
  require_recovered(l);
  CHECK(running_by_node(l)["n1"] == 0);
}

TEST_CASE("a dry run tells what a recovery would do and does nothing", "[system]") {
  lab l{some_vms(2)};
  l.start_all();
  CHECK_FALSE(evacuate_doomed(l, "n1", {"\"to\":\"receiving\"", 1, "n1,n2,n3"}));
  const auto told = l.run({"recover", "--dry-run"}, 60s);
  INFO(told.out << told.err);
  CHECK(told.exit_code == 2);
  CHECK(told.out.find("would: ") != std::string::npos);
  CHECK_FALSE(l.run_json({"status"}, 60s).at("unfinished").empty());
  require_recovered(l);
  CHECK(l.run({"recover", "--fenced", "n9"}, 30s).exit_code == 1);
  const auto lied = l.run({"recover", "--fenced", "n1"}, 60s);
  CHECK(lied.exit_code == 1);
  CHECK(lied.out.find("answers") != std::string::npos);
}

// 200 random points with 12 VMs: build/tests/system/recover_test "[campaign]", half an hour.
TEST_CASE("killed at 200 random events, all is recovered", "[.][campaign]") {
  lab l{some_vms(12)};
  l.start_all();
  std::mt19937 luck{2026};
  for (std::size_t i = 0; i < 200; ++i)
    doom_and_recover(l, {"", 1 + luck() % 150, all_agents[i % 4]});
}

// Every named event at every VM's turn, with all choices of agents.
TEST_CASE("killed at every named event of 12 VMs, all is recovered", "[.][campaign]") {
  lab l{some_vms(12)};
  l.start_all();
  for (const auto& words : named_events())
    for (const auto& agents : all_agents)
      doom_and_recover(l, {words, 1, agents});
}
