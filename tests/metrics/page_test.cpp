// What the live page and the report are made from.
#include "metrics/page/page.hpp"
#include "metrics/page/run_history.hpp"
#include "tests/metrics/samples.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

using namespace drover;
using nlohmann::ordered_json;

namespace {

void feed(run_history& h) {
  for (const auto& event : samples::evacuation())
    h.take(event);
}

ordered_json vm_of(const ordered_json& state, std::uint32_t number) {
  for (const auto& vm : state.at("vms"))
    if (vm.at("vm") == number)
      return vm;
  return nullptr;
}

} // namespace

TEST_CASE("a history tells what has become of each VM", "[metrics]") {
  run_history h;
  feed(h);
  const auto whole = h.whole();
  REQUIRE(whole.at("vms").size() == 2);
  const auto moved = vm_of(whole, 101);
  CHECK(moved.at("result") == "moved");
  CHECK(moved.at("pause_s") == 0.030);
  CHECK(moved.at("budget_s") == 0.300);
  CHECK(moved.at("claim_s") == 0.002);
  CHECK(moved.at("barrier_s") == 0.004);
  CHECK(moved.at("left") == 0);
  REQUIRE(moved.at("phases").size() == 4);
  CHECK(moved.at("phases").at(1) == ordered_json::array({"receiving", 6e-6}));
  const auto waiting = vm_of(whole, 102);
  CHECK_FALSE(waiting.contains("result"));
  CHECK(waiting.at("phase") == "waiting");
  const auto& evacuation = whole.at("evacuations").at(0);
  CHECK(evacuation.at("node") == "a");
  CHECK(evacuation.at("state") == "running");
  CHECK(evacuation.at("moved") == 1);
  CHECK(evacuation.at("bytes_left") == 1000);
  CHECK(evacuation.at("eta_s") == Approx(13e-6)); // Half of it has taken 13 us.
}

TEST_CASE("what a plan leaves out is told with its reason before anything moves", "[metrics]") {
  run_history h;
  const auto left_out = [](std::uint32_t vm, const char* kind, const char* reason) {
    return samples::at(1, vm_left_out{vm_id{vm}, node_id{"a"}, kind, reason});
  };
  h.take(left_out(103, "blocked", "it has a device of the host"));
  h.take(left_out(104, "stopped", "does not run"));
  CHECK(h.since(0).at("vms").size() == 2);
  feed(h);
  const auto whole = h.whole();
  const auto blocked = vm_of(whole, 103);
  CHECK(blocked.at("result") == "stayed");
  CHECK(blocked.at("kind") == "blocked");
  CHECK(blocked.at("reason") == "it has a device of the host");
  CHECK(blocked.at("evacuation") == "1");
  const auto& evacuation = whole.at("evacuations").at(0);
  CHECK(evacuation.at("vms") == 4);
  CHECK(evacuation.at("moved") == 1);
  CHECK(evacuation.at("stayed") == 2);
  CHECK(evacuation.at("eta_s") == Approx(13e-6)); // What does not move takes no time.
  CHECK(
    vms_csv(whole).find("\n103,a,,,1,left_out,stayed,it has a device of the host,") !=
    std::string::npos);
}

TEST_CASE("an evacuation that cannot be carried out is told, and nothing moves", "[metrics]") {
  run_history h;
  h.take(samples::at(1, vm_left_out{vm_id{101}, node_id{"a"}, "no_room", "no node has room"}));
  h.take(samples::at(1, evacuation_ended{node_id{"a"}, "infeasible", 0, 1}));
  const auto whole = h.whole();
  REQUIRE(whole.at("evacuations").size() == 1);
  CHECK(whole.at("evacuations").at(0).at("state") == "infeasible");
  CHECK(whole.at("evacuations").at(0).at("stayed") == 1);
  CHECK(whole.at("vms").at(0).at("reason") == "no node has room");
}

TEST_CASE("who asks what has changed gets that and no more", "[metrics]") {
  run_history h;
  feed(h);
  const auto all = h.since(0);
  CHECK(all.at("vms").size() == 2);
  CHECK_FALSE(all.at("vms").at(0).contains("phases"));
  const auto seen = all.at("version").get<history_version>();
  CHECK(seen == h.version());
  CHECK(h.since(seen).at("vms").empty());
  h.take(samples::at(20, scenario_acted{"cancel", ""}));
  CHECK(h.version() == seen); // Nothing that is shown.
  h.take(samples::at(21, phase_changed{vm_id{102}, epoch{2}, "waiting", "beginning"}));
  const auto next = h.since(seen);
  REQUIRE(next.at("vms").size() == 1);
  CHECK(next.at("vms").at(0).at("phase") == "beginning");
}

TEST_CASE("an evacuation is found by its id, and nothing by another", "[metrics]") {
  run_history h;
  feed(h);
  REQUIRE(h.evacuations().size() == 1);
  const auto one = h.evacuation("1");
  CHECK(one.at("node") == "a");
  CHECK(one.at("migrations").size() == 2);
  CHECK(h.evacuation("2").is_null());
  CHECK(h.evacuation("").is_null());
}

TEST_CASE("a report needs nothing from outside and lets no text become code", "[metrics]") {
  run_history h;
  feed(h);
  auto bad = samples::ended(102, "stayed");
  bad.reason = "</script><script>alert(1)</script>";
  h.take(samples::at(30, bad));
  auto run = h.whole();
  run["title"] = "<b>title</b>";
  const auto page = report_page(run);
  CHECK(page.find("</script><script>alert") == std::string::npos);
  CHECK(page.find("<b>title") == std::string::npos);
  CHECK(page.find("\\u003c/script>\\u003cscript>alert(1)") != std::string::npos);
  CHECK(page.find("default-src 'none'") != std::string::npos);
  CHECK(page.find("src=") == std::string::npos);
  CHECK(page.find("href=") == std::string::npos);
  CHECK(page.find("%HEAD%") == std::string::npos);
  CHECK(page.find("%PARTS%") == std::string::npos);
  CHECK(page.find("%FOOT%") == std::string::npos);
}

TEST_CASE("the CSV has a line for each VM, and quotes what needs it", "[metrics]") {
  run_history h;
  feed(h);
  auto bad = samples::ended(102, "stayed");
  bad.reason = "no room, \"really\"";
  h.take(samples::at(30, bad));
  const auto csv = vms_csv(h.whole());
  CHECK(csv.rfind("vm,source,target,policy,evacuation,phase,result,reason,pause_s,", 0) == 0);
  CHECK(csv.find("\n101,a,b,ticket,1,ended,moved,,0.03,0.025,0.005,0.3,") != std::string::npos);
  CHECK(csv.find("stayed,\"no room, \"\"really\"\"\",") != std::string::npos);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 3);
}
