// Every handover scenario under every policy, against the golden trace beside it.
#include "runtime/scenario/scenario_paths.hpp"
#include "runtime/sim/golden_trace.hpp"
#include "runtime/sim/sim_player.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <sstream>

using namespace drover;

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

TEST_CASE("the handover scenarios go as their golden traces tell", "[sim]") {
  const auto paths = scenario_paths(DROVER_SCENARIOS "/handover");
  REQUIRE(paths);
  REQUIRE(paths->size() >= 8);
  std::size_t compared = 0;
  for (const auto& path : *paths) {
    const auto scenario = read_scenario_file(path);
    REQUIRE(scenario);
    for (const auto how : all_policies) {
      const auto shaped = as_played(*scenario, how);
      if (!shaped.expect.golden)
        continue;
      const auto lines = std::make_shared<golden_trace>(event_queue::beginning);
      sim_play_settings play;
      play.trace = lines;
      play.detail = sim_detail::everything;
      const auto out = play_in_sim(shaped, play);
      INFO(path << " under " << to_string(how));
      const auto golden =
        path.parent_path() / (scenario->name + "." + std::string{to_string(how)} + ".trace");
      REQUIRE(std::filesystem::exists(golden));
      CHECK(first_difference(text_of(golden), lines->text()).empty());
      for (const auto& v : out.violations)
        CHECK(v.kind == violation_kind::liveness);
      ++compared;
    }
  }
  CHECK(compared >= 40);
}

TEST_CASE("the race of 2019 hangs a VM under check and under no other policy", "[sim]") {
  const auto scenario = read_scenario_file(DROVER_SCENARIOS "/handover/resume_overtakes_move.json");
  REQUIRE(scenario);
  for (const auto how : all_policies) {
    INFO(to_string(how));
    const auto out = play_in_sim(as_played(*scenario, how), {});
    CHECK(out.wrong.empty() == (how != policy::check));
    CHECK((out.played.races > 0) == (how == policy::check || how == policy::nocheck));
  }
}

TEST_CASE("the first line that differs is named", "[sim]") {
  CHECK(first_difference("a\nb\n", "a\nb\n").empty());
  CHECK(first_difference("a\nb\n", "a\nc\n").find("line 2") == 0);
  CHECK(first_difference("a\n", "a\nb\n").find("(the end)") != std::string::npos);
}
