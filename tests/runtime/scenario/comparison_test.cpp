#include "runtime/scenario/comparison.hpp"

#include "runtime/scenario/report_directory.hpp"
#include "runtime/scenario/verdict_text.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

using namespace drover;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// A pause of 10 ms; under `lock` with half of the lag.
comparison_row played(policy how, nanoseconds lag) {
  comparison_row row;
  row.how = how;
  row.lag = lag;
  row.moved = 4;
  const auto pause_s = 0.01 + (how == policy::lock ? seconds(lag) / 2 : 0);
  row.pause = distribution{pause_s, pause_s * 2, pause_s * 3};
  row.operations_in_pauses = how == policy::ticket ? 0 : 4;
  row.operations_outside_pauses = 30;
  if (how == policy::check && lag > 0ns) {
    row.races = row.stuck = row.wrong = 4;
    row.moved = 0;
    row.pause.reset();
  }
  return row;
}

comparison compared() { return {"demo", "sim", compare({0ns, 1s}, played).value()}; }

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

struct directory {
  directory() {
    std::string name = "/tmp/drover-report-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~directory() { std::filesystem::remove_all(path); }
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;
  std::filesystem::path path;
};

} // namespace

TEST_CASE("a comparison plays every policy at every lag, in order", "[comparison]") {
  std::vector<std::pair<policy, nanoseconds>> asked;
  const auto rows = compare({}, [&](policy how, nanoseconds lag) {
    asked.emplace_back(how, lag);
    return played(how, lag);
  });
  REQUIRE(rows.has_value());
  REQUIRE(rows->size() == all_policies.size() * comparison_lags.size());
  CHECK(asked.front() == std::pair<policy, nanoseconds>{policy::check, 0ns});
  CHECK(asked[4] == std::pair<policy, nanoseconds>{policy::check, 10s});
  CHECK(asked.back() == std::pair<policy, nanoseconds>{policy::ticket, 10s});
}

TEST_CASE("what cannot be played ends a comparison", "[comparison]") {
  int plays = 0;
  const auto rows = compare({0ns, 1s}, [&](policy, nanoseconds) -> result<comparison_row> {
    if (++plays == 3)
      return fail(errc::refused, "no QEMU");
    return comparison_row{};
  });
  CHECK(rows.error().what == "no QEMU");
  CHECK(plays == 3);
}

TEST_CASE("a pause grows from the first lag to the last, where there are pauses", "[comparison]") {
  const auto c = compared();
  CHECK(pause_growth(c, policy::ticket) == Approx(1));
  CHECK(pause_growth(c, policy::lock) == Approx(51));
  CHECK_FALSE(pause_growth(c, policy::check).has_value());
  CHECK_FALSE(pause_growth({"demo", "sim", {played(policy::claim, 0ns)}}, policy::claim));
}

TEST_CASE("a comparison is told as a table, as JSON and as CSV", "[comparison]") {
  const auto c = compared();
  const auto table = to_table(c);
  const auto row = [&](std::string_view line) { return table.find(line) != std::string::npos; };
  CHECK(row("check         0      4      0      0      10.00      20.00      30.00       1.0"));
  CHECK(row("check        1s      0      4      4          -          -          -         -"));
  CHECK(row("ticket       1s      4      0      0      10.00      20.00      30.00       0.0"));
  CHECK(row("lock 51.00 early 1.00"));
  const auto whole = json::parse(to_json(c));
  CHECK(whole.at("rows").size() == 12);
  CHECK(whole.at("rows")[1].at("policy") == "check");
  CHECK(whole.at("rows")[1].at("lag_ms") == 1000);
  CHECK(whole.at("rows")[1].at("stuck") == 4);
  CHECK(whole.at("rows")[1].at("pause_p50_ms").is_null());
  CHECK(whole.at("rows")[0].at("pause_p99_ms") == Approx(20));
  CHECK(whole.at("rows")[0].at("store_operations_in_pauses") == 4);
  CHECK(whole.at("rows")[0].at("store_operations_outside_pauses") == 30);
  CHECK(whole.at("pause_growth").at("lock") == Approx(51));
  const auto csv = to_csv(c);
  CHECK(
    csv.substr(0, csv.find('\n')) ==
    "scenario,world,policy,lag_ms,moved,races,stuck,pause_p50_ms,pause_p99_ms,pause_max_ms,"
    "store_operations_in_pauses,store_operations_outside_pauses,wrong");
  CHECK(csv.find("\ndemo,sim,check,1000.0,0,4,4,,,,4,30,4\n") != std::string::npos);
}

TEST_CASE("a row holds what was seen of one run", "[comparison]") {
  scenario_file scenario;
  scenario.vms.push_back({});
  scenario.vms.front().first = vm_id{100};
  played_scenario seen;
  wire::vm_entry vm;
  vm.vm = vm_id{100};
  vm.state = wire::run_state::incoming;
  seen.seen.lists[node_id{"n2"}].vms.push_back(vm);
  seen.races = 1;
  seen.intrusions.push_back({vm_id{100}, node_id{"n1"}, "move"});
  seen.operations_outside_pauses = 6;
  const auto row = row_of(policy::check, 1s, scenario, seen, 2);
  CHECK(row.stuck == 1);
  CHECK(row.races == 1);
  CHECK(row.operations_in_pauses == 1);
  CHECK(row.operations_outside_pauses == 6);
  CHECK(row.wrong == 2);
  CHECK_FALSE(row.pause.has_value());
}

TEST_CASE("a run is told with its verdict, and passes with its own code", "[comparison]") {
  scenario_file scenario;
  scenario.name = "demo";
  scenario_verdict v;
  v.played.result.code = outcome_code::some_stayed;
  v.played.races = 3;
  CHECK(exit_code_of(v) == 2);
  CHECK(json::parse(to_json(scenario, v)).at("races") == 3);
  CHECK(json::parse(to_json(scenario, v)).at("verdict") == "passed");
  CHECK(to_table(scenario, v).find("scenario demo: passed\n") != std::string::npos);
  v.wrong = {"VM 100 is on 0 nodes: "};
  CHECK(exit_code_of(v) == 1);
  CHECK(json::parse(to_json(scenario, v)).at("verdict") == "failed");
  CHECK(to_table(scenario, v).find("wrong: VM 100 is on 0 nodes") != std::string::npos);
}

TEST_CASE("a report is written into its directory, by the names of the runs", "[comparison]") {
  const directory room;
  const auto report = report_directory::open(room.path / "new" / "one");
  REQUIRE(report.has_value());
  const run_key key{"demo", policy::check, 10ms, 7};
  CHECK(to_string(key) == "demo.check.lag-10ms.seed-7");
  CHECK(to_string(run_key{"demo", {}, {}, {}}) == "demo");
  CHECK(report->trace_path(key) == room.path / "new/one/demo.check.lag-10ms.seed-7.trace");
  REQUIRE(report->write_result(key, "{}\n"));
  CHECK(text_of(room.path / "new/one/demo.check.lag-10ms.seed-7.json") == "{}\n");
  REQUIRE(report->write_comparison(compared()));
  CHECK(text_of(room.path / "new/one/demo.comparison.csv") == to_csv(compared()));
  CHECK(text_of(room.path / "new/one/demo.comparison.json") == to_json(compared()));
}

TEST_CASE("a file in the place of a report's directory is refused", "[comparison]") {
  const directory room;
  const auto file = room.path / "report";
  std::ofstream{file} << "mine";
  CHECK(
    report_directory::open(file).error().what ==
    file.string() + ": expected a directory for the report, found a file");
  CHECK(text_of(file) == "mine");
  CHECK(report_directory::open(file / "below").error().code == errc::invalid);
}

TEST_CASE("what a VM costs is told beside what it costs among fewer") {
  scenario_file scenario;
  scenario.name = "growing";
  scenario_verdict v;
  CHECK(to_table(scenario, v).find("cost") == std::string::npos);
  CHECK_FALSE(json::parse(to_json(scenario, v)).contains("cost"));
  v.cost = cost_comparison{{1000, 0.8, 0.5}, {10000, 10.0, 9.0}};
  const std::string told =
    "cost: 1000 VMs in 0.80 s of wall time, 0.800 ms per VM; 0.50 s of processor time, 0.500 ms "
    "per VM\n"
    "cost: 10000 VMs in 10.00 s of wall time, 1.000 ms per VM; 9.00 s of processor time, 0.900 ms "
    "per VM\n"
    "cost: one of 10000 VMs takes 1.25 times the wall time and 1.80 times the processor time of "
    "one of 1000\n";
  CHECK_THAT(to_table(scenario, v), Catch::Contains(told));
  const auto cost = json::parse(to_json(scenario, v)).at("cost");
  CHECK(cost.at("whole").at("vms") == 10000);
  CHECK(cost.at("smaller").at("wall_s") == 0.8);
  CHECK(cost.at("smaller").at("wall_ms_per_vm").get<double>() == Approx(0.8));
  CHECK(cost.at("whole").at("processor_ms_per_vm").get<double>() == Approx(0.9));
  CHECK(cost.at("wall_ratio").get<double>() == Approx(1.25));
  CHECK(cost.at("processor_ratio").get<double>() == Approx(1.8));
}
