// The race of 2019 on real QEMUs: the store's views lag, so the resume overtakes the move.
#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const std::string race = DROVER_SCENARIOS "/handover/resume_overtakes_move.json";

struct played {
  int exit_code = -1;
  json result;
};

played play(std::vector<std::string> flags) {
  std::vector<std::string> argv{DROVER_PROGRAM, "run", race, "--world", "local", "-o", "json"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  const auto ended = run_program(argv, 240s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  const auto result = json::parse(ended.out, nullptr, false);
  REQUIRE(result.is_object());
  return {ended.exit_code, result};
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

TEST_CASE("a target that trusts its own late view leaves the VM paused", "[system]") {
  const temporary_directory directory;
  const auto trace = directory.path() / "trace";
  const auto p = play({"--policy", "check", "--trace", trace.string()});
  CHECK(p.exit_code != 0);
  CHECK(p.result.at("verdict") == "failed");
  CHECK(p.result.at("races") == 1);
  CHECK(p.result.at("stuck") == 1);
  CHECK(p.result.at("moved") == 0);
  CHECK(p.result.at("beats").at("lost") == 0);
  CHECK(text_of(trace).find("\"end\":\"refused\"") != std::string::npos);
}

TEST_CASE("every other policy brings the VM through the same race", "[system]") {
  for (const auto* policy : {"nocheck", "lock", "early", "claim", "ticket"}) {
    INFO(policy);
    const auto p = play({"--policy", policy});
    CHECK(p.exit_code == 0);
    CHECK(p.result.at("wrong") == json::array());
    CHECK(p.result.at("moved") == 1);
    CHECK(p.result.at("stuck") == 0);
  }
}

TEST_CASE("the policies are compared on real QEMUs, and the report holds every run", "[system]") {
  const temporary_directory directory;
  const auto report = directory.path() / "report";
  const auto p = play({"--policy", "all", "--lags", "0,1s", "--report", report.string()});
  CHECK(p.exit_code == 0);
  REQUIRE(p.result.at("rows").size() == 12);
  for (const auto& row : p.result.at("rows")) {
    INFO(row.dump());
    const bool raced = row.at("policy") == "check" && row.at("lag_ms") > 0;
    CHECK(row.at("stuck") == (raced ? 1 : 0));
    CHECK(row.at("moved") == (raced ? 0 : 1));
    if (row.at("policy") == "ticket")
      CHECK(row.at("store_operations_in_pauses") == 0);
  }
  CHECK(json::parse(text_of(report / "resume_overtakes_move.comparison.json")) == p.result);
  CHECK_FALSE(text_of(report / "resume_overtakes_move.comparison.csv").empty());
  CHECK_FALSE(text_of(report / "resume_overtakes_move.ticket.lag-1s.trace").empty());
  const auto one = json::parse(text_of(report / "resume_overtakes_move.check.lag-1s.json"));
  CHECK(one.at("verdict") == "failed");
}
