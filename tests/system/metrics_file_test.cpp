// What is left of a run's metrics when its program has ended, and how many series a large one has.
#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::vector<std::string> series_in(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::vector<std::string> series;
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line.front() != '#')
      series.push_back(line);
  return series;
}

double value_of(const std::vector<std::string>& series, const std::string& name) {
  for (const auto& line : series)
    if (line.rfind(name + " ", 0) == 0)
      return std::stod(line.substr(name.size() + 1));
  FAIL_CHECK("no series " << name);
  return -1;
}

/// `count` VMs of one node are to go to nine others.
json many_vms(std::uint32_t count) {
  json nodes;
  for (int i = 1; i <= 10; ++i)
    nodes["n" + std::to_string(i)] = {{"memory", "16G"}};
  return {
    {"why", "Many VMs leave one node for nine others."},
    {"deadline_s", 3600},
    {"cluster", {{"nodes", nodes}}},
    {"vms", {{{"first", 1000}, {"count", count}, {"node", "n1"}, {"memory", "4M"}}}},
    {"actions", {{{"at_ms", 500}, {"evacuate", "n1"}}}},
    {"expect", {{"exit_code", 0}, {"moved", count}}}};
}

} // namespace

TEST_CASE("two thousand VMs expose fewer than two thousand series", "[system]") {
  const temporary_directory room;
  const auto scenario = room.path() / "many.json";
  std::ofstream{scenario} << many_vms(2000);
  const auto file = room.path() / "drover.prom";
  const auto ended = run_program(
    {DROVER_PROGRAM, "run", scenario.string(), "--world", "sim", "--metrics-file", file.string()},
    120s);
  INFO(ended.out << ended.err);
  REQUIRE(ended.exit_code == 0);
  const auto series = series_in(file);
  WARN("2000 VMs expose " << series.size() << " series");
  CHECK(series.size() > 500);
  CHECK(series.size() < 2000);
  CHECK(
    value_of(series, R"(drover_migration_pause_seconds_count{policy="ticket",segment="total"})") ==
    2000);
  CHECK(value_of(series, R"(drover_races_total{end="averted",policy="ticket"})") > 0);
}

TEST_CASE("every policy of a comparison counts into the same file", "[system]") {
  const temporary_directory room;
  const auto file = room.path() / "drover.prom";
  const auto ended = run_program(
    {DROVER_PROGRAM, "run", DROVER_SCENARIOS "/local/demo.json", "--world", "sim", "--policy",
     "all", "--lags", "0", "--metrics-file", file.string()},
    120s);
  INFO(ended.out << ended.err);
  REQUIRE(ended.exit_code == 0);
  const auto series = series_in(file);
  for (const auto* policy : {"check", "nocheck", "lock", "early", "claim", "ticket"})
    CHECK(
      value_of(
        series, "drover_migration_pause_seconds_count{policy=\"" + std::string{policy} +
                  "\",segment=\"total\"}") == 24);
}

TEST_CASE("the metrics stay for the linger time, and a signal ends it", "[system]") {
  const std::vector<std::string> argv{DROVER_PROGRAM,
                                      "run",
                                      DROVER_SCENARIOS "/local/stays_paused.json",
                                      "--metrics",
                                      "127.0.0.1:0",
                                      "--metrics-linger",
                                      "5m"};
  running_program run{argv};
  REQUIRE(run.wait_until(
    [](const auto& seen) {
      return seen.err.find("stay at http://127.0.0.1:") != std::string::npos;
    },
    120s));
  run.wait_until([](const auto& seen) { return !seen.out.empty(); }, 5s);
  run.signal(SIGINT);
  const auto ended = run.finish(20s);
  INFO(ended.out << ended.err);
  CHECK_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 0);
  CHECK(ended.out.find("passed") != std::string::npos);
  CHECK(ended.err.find("for 5m;") != std::string::npos);
}
