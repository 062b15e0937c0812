#include "runtime/program/past_runs.hpp"
#include "runtime/program/process_lock.hpp"
#include "runtime/program/run_log.hpp"
#include "runtime/program/running_files.hpp"
#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <vector>

using namespace drover;
using namespace drover::testing;
using nlohmann::ordered_json;

namespace {

ordered_json some_run(int vms = 1) {
  ordered_json run{
    {"vms", ordered_json::array()},
    {"evacuations", ordered_json::array()},
    {"environment", {{"cluster", "lab"}}}};
  for (int i = 0; i < vms; ++i)
    run["vms"].push_back({{"vm", 100 + i}});
  return run;
}

wall_time at_s(std::int64_t s) { return wall_time{std::chrono::seconds{s}}; }

past_runs in(const temporary_directory& room) {
  auto opened = past_runs::at((room.path() / "state").string());
  REQUIRE(opened);
  return *opened;
}

} // namespace

TEST_CASE("a run is kept under its id and found again by it", "[contract]") {
  const temporary_directory room;
  auto past = in(room);
  CHECK(past.ids().empty());
  REQUIRE_FALSE(past.read("last"));
  const auto first = past.free_id("evacuate-n1", at_s(1'795'423'006));
  CHECK(first == "20261123-083646-evacuate-n1");
  REQUIRE(past.keep(first, some_run(1)));
  const auto second = past.free_id("evacuate-n1", at_s(1'795'423'006));
  CHECK(second == first + "-2");
  REQUIRE(past.keep(second, some_run(2)));
  REQUIRE(past.keep("20261123-083647-migrate-105", some_run(3)));
  CHECK(past.ids().size() == 3);
  const auto read = past.read(second);
  REQUIRE(read);
  CHECK(read->at("vms").size() == 2);
  CHECK(read->at("id") == second);
  CHECK(past.read("last")->at("vms").size() == 3);
  REQUIRE(past.keep(second, some_run(5)));
  CHECK(past.read(second)->at("vms").size() == 5);
  CHECK(past.ids().size() == 3);
}

TEST_CASE("an id that is none, or leads elsewhere, is refused", "[contract]") {
  const temporary_directory room;
  auto past = in(room);
  REQUIRE(past.keep("evacuate-n1", some_run()));
  std::ofstream{room.path() / "state/secret.json"} << some_run().dump();
  std::ofstream{room.path() / "state/runs/broken.json"} << "{\"vms\": ";
  std::ofstream{room.path() / "state/runs/other.json"} << "{\"vms\": 7}";
  for (const auto* id : {"none", "../secret", "", ".", "/etc/passwd", "broken", "other"}) {
    INFO(id);
    const auto read = past.read(id);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::invalid);
  }
  CHECK(past.read("none").error().what.find("drover report lists them") != std::string::npos);
}

TEST_CASE("only the latest runs are kept", "[contract]") {
  const temporary_directory room;
  auto past = in(room);
  for (std::size_t i = 0; i < past_runs::kept_max + 3; ++i)
    REQUIRE(past.keep(past.free_id("evacuate-n1", at_s(static_cast<std::int64_t>(i))), some_run()));
  const auto ids = past.ids();
  CHECK(ids.size() == past_runs::kept_max);
  CHECK(ids.front() == "19700101-000003-evacuate-n1");
}

TEST_CASE("a state directory that cannot be is an error, and nothing else", "[contract]") {
  const temporary_directory room;
  std::ofstream{room.path() / "file"} << "a file";
  auto past = past_runs::at((room.path() / "file").string());
  REQUIRE(past);
  const auto kept = past->keep("evacuate-n1", some_run());
  REQUIRE_FALSE(kept);
  CHECK(kept.error().code == errc::refused);
  CHECK(kept.error().context.find("file") != std::string::npos);
}

TEST_CASE("logs of old runs go, but never a file of a run that lives", "[contract]") {
  const temporary_directory room;
  const auto running = room.path() / "running";
  const auto put = [&](const std::string& name) {
    std::filesystem::create_directories(running);
    std::ofstream{running / name} << "said";
  };
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < past_runs::kept_max + 3; ++i)
    ids.push_back(
      in(room).free_id("evacuate-n1", at_s(1'795'423'006 + static_cast<std::int64_t>(i))));
  for (const auto& id : ids)
    put(id + ".log");
  put(ids[1] + ".sock");
  put("0123456789abcdef-n1.node");
  put("starting-" + std::to_string(::getpid()) + ".log");
  put("starting-x.log");
  const auto alive = process_lock::take(alive_file(room.path(), ids[0]), "root@here:1");
  REQUIRE(alive);
  prune_running(room.path());
  const auto is_there = [&](const std::string& name) {
    return std::filesystem::exists(running / name);
  };
  CHECK(is_there(ids[0] + ".log"));
  CHECK(is_there(ids[0] + ".lock"));
  CHECK_FALSE(is_there(ids[1] + ".log"));
  CHECK_FALSE(is_there(ids[1] + ".sock"));
  CHECK_FALSE(is_there(ids[2] + ".log"));
  CHECK(is_there(ids[3] + ".log"));
  CHECK(is_there(ids.back() + ".log"));
  CHECK(is_there("0123456789abcdef-n1.node"));
  CHECK(is_there("starting-" + std::to_string(::getpid()) + ".log"));
  CHECK(is_there("starting-x.log"));
}
