// The storms of scenarios/storm through the program, as an operator runs them.
#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

using namespace drover::testing;
using namespace std::chrono_literals;

TEST_CASE("the storms pass on many seeds, and a failed one could be replayed", "[system]") {
  for (const auto* name :
       {"all_faults", "claims_rolled_back", "controller_restarts", "evacuate_the_receiver",
        "flapping_target", "quorum_lost_in_window", "store_hangs", "two_evacuations"}) {
    INFO(name);
    const auto ended = run_program(
      {DROVER_PROGRAM, "run", std::string{DROVER_SCENARIOS "/storm/"} + name + ".json", "--world",
       "sim", "--seeds", "250", "--jobs", "2"},
      240s);
    INFO(ended.out << ended.err);
    CHECK(ended.exit_code == 0);
    CHECK_FALSE(ended.timed_out);
  }
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
