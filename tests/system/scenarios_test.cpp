// The scenarios of scenarios/local on real QEMU, as a stranger runs them.
#include "tests/support/run_program.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const std::string program_path = DROVER_PROGRAM;
const std::string scenarios = DROVER_SCENARIOS "/local/";

struct played {
  int exit_code = -1;
  json result;
};

played play(const std::string& name, std::vector<std::string> flags = {}) {
  std::vector<std::string> argv{program_path, "run", scenarios + name + ".json", "-o", "json"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  const auto ended = run_program(argv, 240s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  const auto result = json::parse(ended.out, nullptr, false);
  REQUIRE(result.is_object());
  CHECK(result.at("wrong") == json::array());
  CHECK(result.at("verdict") == "passed");
  CHECK(result.at("exit_code") == ended.exit_code);
  return {ended.exit_code, result};
}

std::string content_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// The directory of a running scenario, by the agents that it has started; other runs on this
/// machine have their own.
std::string room_of(const running_program& program) {
  const std::string prefix = "/tmp/drover-";
  for (const auto pid : processes_with(prefix)) {
    const auto about = "/proc/" + std::to_string(pid);
    // "pid (name) state parent ...", proc(5)
    const auto stat = content_of(about + "/stat");
    std::istringstream fields{stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1)};
    std::string state;
    pid_t parent = 0;
    const auto line = content_of(about + "/cmdline");
    const auto at = line.find(prefix);
    if (fields >> state >> parent && parent == program.pid() && at != std::string::npos)
      return line.substr(at, line.find('/', at + prefix.size()) - at);
  }
  return {};
}

/// What one VM's trace says of its pause and of the store.
struct vm_times {
  std::int64_t stopped_us = 0;
  std::int64_t resumed_us = 0;
};

std::vector<json> lines_of(const std::filesystem::path& file) {
  std::vector<json> lines;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);)
    lines.push_back(json::parse(line));
  return lines;
}

} // namespace

TEST_CASE("the demo moves 24 VMs under every policy, and no beat is lost or doubled", "[system]") {
  for (const auto* policy : {"ticket", "claim", "early", "lock", "nocheck", "check"}) {
    INFO(policy);
    const auto p = play("demo", {"--policy", policy});
    CHECK(p.exit_code == 0);
    CHECK(p.result.at("moved") == 24);
    CHECK(p.result.at("beats").at("lost") == 0);
    CHECK(p.result.at("beats").at("doubled") == 0);
    for (const auto& m : p.result.at("migrations"))
      CHECK(m.at("policy") == policy);
    CHECK(p.result.at("pause_s").at("p50").get<double>() > 0);
  }
}

TEST_CASE("no store operation begins or runs inside a pause under ticket", "[system]") {
  const temporary_directory directory;
  const auto trace = (directory.path() / "trace").string();
  play("demo", {"--trace", trace});
  std::map<int, vm_times> pauses;
  const auto lines = lines_of(trace);
  for (const auto& line : lines) {
    if (line.at("event") != "pause_mark")
      continue;
    if (line.at("mark") == "source_stopped")
      pauses[line.at("vm")].stopped_us = line.at("marked_at");
    if (line.at("mark") == "resumed")
      pauses[line.at("vm")].resumed_us = line.at("marked_at");
  }
  CHECK(pauses.size() == 24);
  std::size_t operations = 0;
  for (const auto& line : lines) {
    if (line.at("event") != "store_operation" || !pauses.contains(line.at("vm")))
      continue;
    ++operations;
    const auto& pause = pauses.at(line.at("vm"));
    INFO(line.dump());
    const bool inside = line.at("begin").get<std::int64_t>() < pause.resumed_us &&
                        line.at("end").get<std::int64_t>() > pause.stopped_us;
    CHECK_FALSE(inside);
  }
  // Record and lock before, the move and the settling after: the trace does hold the store's work.
  CHECK(operations >= 24 * 4);
}

TEST_CASE("a VM whose target dies stays and runs, the others move", "[system]") {
  const auto p = play("target_dies");
  CHECK(p.exit_code == 2);
  REQUIRE(p.result.at("stayed").size() == 1);
  CHECK(p.result.at("stayed")[0].at("vmid") == 105);
  CHECK_FALSE(p.result.at("stayed")[0].at("reason").get<std::string>().empty());
}

TEST_CASE("the source's agent may die in the middle", "[system]") {
  const auto p = play("source_agent_dies");
  CHECK(p.result.at("beats").at("lost") == 0);
  CHECK(p.result.at("beats").at("doubled") == 0);
}

TEST_CASE("drover may be killed at any event, and a recovery leaves nothing over", "[system]") {
  const auto result = play("kill_controller").result;
  CHECK(result.at("moved").get<int>() > 0);
}

TEST_CASE("the same in the simulated world, over many seeds", "[system]") {
  const auto ended = run_program(
    {program_path, "run", scenarios + "kill_controller.json", "--world", "sim", "--seeds", "200",
     "--jobs", "2"},
    240s);
  INFO(ended.out << ended.err);
  CHECK_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("a set that does not fit is refused as a whole and untouched", "[system]") {
  const auto p = play("no_room");
  CHECK(p.exit_code == 3);
  CHECK(p.result.at("moved") == 0);
  CHECK(p.result.at("migrations").empty());
  CHECK_FALSE(p.result.at("stayed").empty());
}

TEST_CASE("a VM that was paused moves and stays paused", "[system]") {
  const auto p = play("stays_paused");
  CHECK(p.exit_code == 0);
  for (const auto& m : p.result.at("migrations"))
    CHECK(m.at("pause_s").is_null() == (m.at("vmid") == 101));
}

TEST_CASE("a stream may wait long for its turn on a slow uplink", "[system]") {
  const auto p = play("slow_uplink");
  CHECK(p.exit_code == 0);
  CHECK(p.result.at("moved") == 3);
  for (const auto& m : p.result.at("migrations"))
    CHECK(m.at("bytes").get<std::uint64_t>() > 8'000'000);
}

TEST_CASE("memory goes by several channels where they are asked for", "[system]") {
  const temporary_directory directory;
  const auto trace = (directory.path() / "trace").string();
  const auto p = play("channels", {"--trace", trace});
  CHECK(p.exit_code == 0);
  CHECK(p.result.at("moved") == 4);
  CHECK(p.result.at("beats").at("lost") == 0);
  for (const auto& line : lines_of(trace))
    CHECK(line.at("event") != "stream_narrowed");
}

TEST_CASE("a hundred VMs asked at once all move", "[system]") {
  const auto p = play("hundred");
  CHECK(p.exit_code == 0);
  CHECK(p.result.at("moved") == 100);
  CHECK(p.result.at("beats").at("lost") == 0);
}

TEST_CASE(
  "a scenario leaves no process and no directory behind, also when interrupted", "[system]") {
  running_program program{{program_path, "run", scenarios + "demo.json"}};
  REQUIRE(program.wait_until(
    [](const auto& seen) { return seen.err.find("moved, pause") != std::string::npos; }, 120s));
  const auto room = room_of(program);
  REQUIRE_FALSE(room.empty());
  REQUIRE(std::filesystem::exists(room));
  program.signal(SIGINT);
  const auto ended = program.finish(60s);
  CHECK_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 1);
  CHECK(ended.out.find("interrupted") != std::string::npos);
  CHECK(processes_with(room).empty());
  CHECK_FALSE(std::filesystem::exists(room));
}
