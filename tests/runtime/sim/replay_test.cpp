// The same seed gives the same trace, byte for byte: without that no failure could be replayed.
#include "runtime/sim/sim_player.hpp"
#include "runtime/sim/swarm.hpp"
#include "runtime/wire/trace_ndjson.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <set>

using namespace drover;

namespace {

class whole_trace final : public trace_sink {
public:
  void take(const trace_event& event) override { text += wire::to_ndjson(event) + "\n"; }
  std::string text;
};

/// Without what only a world that shows everything tells.
class decisions_trace final : public trace_sink {
public:
  void take(const trace_event& event) override {
    if (
      !std::holds_alternative<message_carried>(event.body) &&
      !std::holds_alternative<view_changed>(event.body))
      text += wire::to_ndjson(event) + "\n";
  }
  std::string text;
};

template <class Trace>
std::string trace_of(const scenario_file& scenario, std::uint64_t seed, sim_detail detail) {
  const auto trace = std::make_shared<Trace>();
  sim_play_settings play;
  play.seed = seed;
  play.trace = trace;
  play.detail = detail;
  play_in_sim(as_played(drawn(scenario, seed), std::nullopt), play);
  return trace->text;
}

} // namespace

TEST_CASE("200 seeds played twice give the same 200 traces", "[sim]") {
  const auto scenario = read_scenario_file(DROVER_SCENARIOS "/storm/all_faults.json");
  REQUIRE(scenario);
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto first = trace_of<whole_trace>(*scenario, seed, sim_detail::everything);
    const auto second = trace_of<whole_trace>(*scenario, seed, sim_detail::everything);
    INFO("seed " << seed);
    REQUIRE(first.size() > 1000);
    // Compared as a whole: a difference of thousands of lines is of no use in a report.
    REQUIRE((first == second));
    different.insert(first);
  }
  CHECK(different.size() == 200);
}

TEST_CASE("a seed plays the same when everything is put into the trace", "[sim]") {
  const auto scenario = read_scenario_file(DROVER_SCENARIOS "/storm/all_faults.json");
  REQUIRE(scenario);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto watched = trace_of<decisions_trace>(*scenario, seed, sim_detail::everything);
    const auto alone = trace_of<decisions_trace>(*scenario, seed, sim_detail::decisions);
    INFO("seed " << seed);
    REQUIRE(watched.size() > 1000);
    REQUIRE((watched == alone));
  }
}
