// What is left of an evacuation for later, and what the page and the report tell of VMs that stay.
#include "tests/support/http_get.hpp"
#include "tests/system/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <iterator>

using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string page_address(const finished_program& seen) {
  const std::string mark = "metrics stay at http://127.0.0.1:";
  const auto at = seen.err.find(mark);
  return at == std::string::npos ? "" : seen.err.substr(at + mark.size(), 5);
}

} // namespace

TEST_CASE("a past evacuation is listed, and its report is written again", "[system]") {
  lab l{{{100, "n1"}, {101, "n1"}, {102, "n1"}}};
  const auto started = l.run({"vm", "start", "100", "101"}, 60s);
  REQUIRE(started.exit_code == 0);
  const auto report = l.directory() / "report";
  const auto moved = l.run_json({"evacuate", "n1", "--report", report.string()}, 60s);
  INFO(moved.dump(2));
  REQUIRE(moved.at("moved") == 2);
  REQUIRE(moved.at("stayed").size() == 1); // 102 does not run.
  const auto id = moved.at("id").get<std::string>();

  const auto list = l.run_json({"report"}, 20s).at("runs");
  REQUIRE(list.size() == 1);
  CHECK(list[0].at("id") == id);
  CHECK(list[0].at("cluster") == "lab");
  CHECK(list[0].at("result") == moved.at("result"));
  CHECK(list[0].at("moved") == 2);
  CHECK(list[0].at("stayed") == 1);
  CHECK(list[0].at("pause_s").at("max") == moved.at("pause_s").at("max"));

  const auto again = l.directory() / "again";
  const auto told = l.run_json({"report", id, "--report", again.string()}, 20s);
  CHECK(told.at("files").size() == 3);
  const auto run = json::parse(text_of(again / (id + ".run.json")));
  CHECK(run.at("vms") == json::parse(text_of(report / "evacuate-n1.run.json")).at("vms"));
  const auto csv = text_of(again / (id + ".csv"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 4);
  for (const auto& s : moved.at("stayed"))
    CHECK(csv.find(s.at("reason").get<std::string>()) != std::string::npos);
  CHECK(text_of(again / (id + ".html")).find(id) != std::string::npos);

  const auto latest = l.run({"report", "last", "--report", again.string()}, 20s);
  CHECK(latest.exit_code == 0);
  CHECK(latest.out.find(id + ".html") != std::string::npos);
  const auto unknown = l.run({"report", "yesterday"}, 20s);
  CHECK(unknown.exit_code == 1);
  CHECK(unknown.err.find("there is no past run 'yesterday'") != std::string::npos);
}

TEST_CASE("an evacuation that is infeasible is shown with the reasons, and kept", "[system]") {
  lab l{{{100, "n1"}}};
  l.start_all();
  // Too little for any guest, so the VM has nowhere to go.
  auto cluster = json::parse(text_of(l.cluster_file()));
  for (const auto* node : {"n2", "n3"})
    cluster["nodes"][node]["memory"] = "1M";
  std::ofstream{l.cluster_file()} << cluster;
  running_program controller{l.command(
    {"evacuate", "n1", "-o", "json", "--metrics", "127.0.0.1:0", "--metrics-linger", "5m"})};
  REQUIRE(controller.wait_until([](const auto& seen) { return !page_address(seen).empty(); }, 60s));
  std::string port;
  json result;
  controller.wait_until(
    [&](const auto& seen) {
      port = page_address(seen);
      result = json::parse(seen.out, nullptr, false);
      return result.is_object();
    },
    5s);
  REQUIRE(result.is_object());
  CHECK(result.at("exit_code") == 3);
  const auto number = static_cast<std::uint16_t>(std::stoi(port));
  const auto shown = json::parse(http_get(number, "/api/evacuations/1").body, nullptr, false);
  REQUIRE(shown.is_object());
  CHECK(shown.at("state") == "infeasible");
  REQUIRE(shown.at("migrations").size() == 1);
  CHECK(shown.at("migrations")[0].at("result") == "stayed");
  CHECK(shown.at("migrations")[0].at("reason") == result.at("stayed")[0].at("reason"));
  const auto series = http_get(number, "/metrics").body;
  CHECK(
    series.find("drover_evacuation_state{node=\"n1\",state=\"infeasible\"} 1") !=
    std::string::npos);
  controller.signal(SIGINT);
  CHECK(controller.finish(20s).exit_code == 3);
  CHECK(l.run_json({"report"}, 20s).at("runs").at(0).at("result") == "infeasible");
}
