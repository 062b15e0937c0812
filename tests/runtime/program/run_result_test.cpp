#include "runtime/program/run_result.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace drover;

namespace {

migration_result ended(std::uint32_t vm, verdict end, std::optional<double> pause_s = {}) {
  migration_result r;
  r.vm = vm_id{vm};
  r.source = node_id{"n1"};
  r.target = node_id{"n2"};
  r.end = end;
  if (end != verdict::moved)
    r.reason = "a reason";
  r.figures.pause_s = pause_s;
  return r;
}

evacuation_report report_of(std::vector<migration_result> all) {
  evacuation_report r;
  r.migrations = std::move(all);
  return r;
}

} // namespace

TEST_CASE("quantiles are by nearest rank", "[run_result]") {
  CHECK_FALSE(distribution_of({}));
  std::vector<double> values;
  for (int i = 100; i >= 1; --i)
    values.push_back(i);
  const auto d = distribution_of(values);
  CHECK(d->p50 == 50);
  CHECK(d->p99 == 99);
  CHECK(d->max == 100);
  CHECK(distribution_of({3.0})->p50 == 3.0);
}

TEST_CASE("the exit code tells the worst thing that happened", "[run_result]") {
  const plan p;
  const auto code = [&](std::vector<migration_result> all, bool cancelled = false) {
    auto report = report_of(std::move(all));
    report.cancelled = cancelled;
    return static_cast<int>(result_of(p, report).code);
  };
  CHECK(code({ended(100, verdict::moved)}) == 0);
  CHECK(code({ended(100, verdict::moved), ended(101, verdict::stayed)}) == 2);
  CHECK(code({ended(100, verdict::stayed), ended(101, verdict::needs_operator)}) == 6);
  CHECK(code({ended(100, verdict::stayed)}, true) == 4);
  CHECK(code({ended(100, verdict::moved)}, true) == 0);
  plan blocked;
  blocked.stays.push_back({vm_id{102}, "db", 0, stay_kind::blocked, "locked: backup"});
  CHECK(static_cast<int>(result_of(blocked, report_of({ended(100, verdict::moved)})).code) == 2);
  evacuation_report refused;
  refused.objection = error{errc::conflict, "cordoned by another", ""};
  CHECK(static_cast<int>(result_of(p, refused).code) == 1);
  CHECK(static_cast<int>(result_of_infeasible(p).code) == 3);
}

TEST_CASE("the JSON has every documented field", "[run_result]") {
  plan p;
  p.stays.push_back({vm_id{90'000}, "db", 0, stay_kind::blocked, "locked: backup"});
  auto r =
    result_of(p, report_of({ended(100, verdict::moved, 0.002), ended(101, verdict::stayed)}));
  const auto json = nlohmann::json::parse(to_json(r));
  CHECK(json.at("result") == "some_stayed");
  CHECK(json.at("exit_code") == 2);
  CHECK(json.at("moved") == 1);
  CHECK(json.at("stayed").size() == 2);
  CHECK(json.at("stayed")[1].at("vmid") == 90'000);
  CHECK(json.at("stayed")[1].at("reason") == "locked: backup");
  CHECK(json.at("pause_s").at("p50") == 0.002);
  CHECK(json.at("blackout_s").at("p99").is_null());
  CHECK(json.at("handover_s").contains("max"));
  CHECK(json.contains("duration_s"));
  const auto& m = json.at("migrations")[0];
  for (const auto* key :
       {"vmid", "source", "target", "result", "policy", "pause_s", "pause_error_s", "pause_unknown",
        "blackout_s", "handover_s", "total_s", "bytes"})
    CHECK(m.contains(key));
}

TEST_CASE("the table shows every VM that did not move with its reason", "[run_result]") {
  auto r =
    result_of({}, report_of({ended(100, verdict::moved, 0.002), ended(101, verdict::stayed)}));
  const auto text = to_table(r);
  CHECK(text.find("VM 101 did not move: a reason") != std::string::npos);
  CHECK(text.find("2.00") != std::string::npos);
  CHECK(text.find("some_stayed: 1 moved, 1 did not") != std::string::npos);
}

TEST_CASE(
  "a pause between two hosts is shown with its error, or why there is none", "[run_result]") {
  auto far = ended(100, verdict::moved, 0.002);
  far.figures.pause_error_s = 0.00012;
  auto set = ended(101, verdict::moved);
  set.figures.pause_unknown = "the clock of n2 was set during the migration";
  const auto r = result_of({}, report_of({far, set}));
  const auto text = to_table(r);
  CHECK(text.find("2.00 ±0.12") != std::string::npos);
  CHECK(
    text.find("VM 101: no pause is told, the clock of n2 was set during the migration") !=
    std::string::npos);
  const auto json = nlohmann::json::parse(to_json(r));
  CHECK(json.at("migrations")[0].at("pause_error_s") == 0.00012);
  CHECK(json.at("migrations")[1].at("pause_s").is_null());
  CHECK(json.at("pause_s").at("max") == 0.002);
}
