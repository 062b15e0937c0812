// The storms of scenarios/storm through the program, as an operator runs them.
#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace drover::testing;
using namespace std::chrono_literals;

// The limits only tell a hang from a busy machine; what a VM costs is told by the run itself.
TEST_CASE("the storms pass on many seeds, and a failed one could be replayed", "[system]") {
  const auto ended = run_program(
    {DROVER_PROGRAM, "run", DROVER_SCENARIOS "/storm", "--world", "sim", "--seeds", "2000",
     "--jobs", "2"},
    1500s);
  const auto failed = ended.out.find(": seed ");
  INFO((failed == std::string::npos ? ended.out : ended.out.substr(failed, 4000)) << ended.err);
  CHECK(ended.exit_code == 0);
  CHECK_FALSE(ended.timed_out);
  for (const auto* name :
       {"all_faults", "claims_rolled_back", "controller_restarts", "evacuate_the_receiver",
        "flapping_target", "quorum_lost_in_window", "store_hangs", "ten_thousand", "three_hundred",
        "two_evacuations"})
    CHECK(ended.out.find(std::string{name} + ".json") != std::string::npos);
}

TEST_CASE("ten thousand VMs move, and the run tells what one costs", "[system]") {
  const auto ended = run_program(
    {DROVER_PROGRAM, "run", DROVER_SCENARIOS "/storm/ten_thousand.json", "--world", "sim", "--seed",
     "1", "-o", "json"},
    120s);
  INFO(ended.err);
  CHECK_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 0);
  const auto result = nlohmann::json::parse(ended.out, nullptr, false);
  REQUIRE(result.is_object());
  CHECK(result.at("wrong") == nlohmann::json::array());
  CHECK(result.at("moved") == 10000);
  const auto& cost = result.at("cost");
  INFO(cost.dump());
  CHECK(cost.at("smaller").at("vms") == 1000);
  CHECK(cost.at("whole").at("vms") == 10000);
  for (const auto* which : {"smaller", "whole"})
    for (const auto* figure : {"wall_ms_per_vm", "processor_ms_per_vm"})
      CHECK(cost.at(which).at(figure).get<double>() > 0);
  CHECK(cost.at("wall_ratio").get<double>() > 0);
  CHECK(cost.at("processor_ratio").get<double>() > 0);
}

TEST_CASE("the race of 2019 leaves a VM paused, and the exit code tells", "[system]") {
  const std::vector<std::string> argv{
    DROVER_PROGRAM, "run", DROVER_SCENARIOS "/handover/resume_overtakes_move.json",
    "--world",      "sim", "--policy",
    "check"};
  const auto ended = run_program(argv);
  INFO(ended.out << ended.err);
  CHECK(ended.exit_code != 0);
  CHECK(ended.out.find("left paused: 1") != std::string::npos);
}
