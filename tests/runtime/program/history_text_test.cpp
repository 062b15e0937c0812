#include "runtime/program/history_text.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace drover;

namespace {

wall_time at_s(std::int64_t s) { return wall_time{std::chrono::seconds{s}}; }

told_run_row some_row() {
  plan p;
  p.source = node_id{"n1"};
  p.steps = {
    {vm_id{101}, "web", node_id{"n1"}, node_id{"n2"}, 4096},
    {vm_id{100}, "db", node_id{"n1"}, node_id{"n3"}, 1024}};
  p.stays = {{vm_id{105}, "old", 64, stay_kind::stopped, "it does not run"}};
  told_run_row row;
  row.run.id = "20261123-083646-evacuate-n1";
  row.run.what = "evacuate";
  row.run.node = node_id{"n1"};
  row.run.cluster = "lab";
  row.run.controller = "root@host:12";
  row.run.begun = at_s(1'795'423'006);
  row.vms = journal_vms_of(p, at_s(1));
  return row;
}

bool has(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

} // namespace

TEST_CASE("every VM of a plan is a row of the journal, in the plan's order", "[pure]") {
  const auto vms = some_row().vms;
  REQUIRE(vms.size() == 3);
  CHECK(vms[0].vm == vm_id{101});
  CHECK(vms[0].target == node_id{"n2"});
  CHECK(vms[0].phase == "planned");
  CHECK(vms[1].position == 1);
  CHECK(vms[2].result == "left_out");
  CHECK(vms[2].reason == "it does not run");
  const auto count = count_of(vms);
  CHECK(count.moved == 0);
  CHECK(count.stayed == 1);
  CHECK(count.left == 2);
}

TEST_CASE(
  "a run that has not ended is what its operator wants, while somebody is there", "[pure]") {
  journal_run run;
  CHECK(status_of(run, run_life::carried_out) == run_status::running);
  CHECK(status_of(run, run_life::left_alone) == run_status::interrupted);
  run.wish = run_wish::pause;
  CHECK(status_of(run, run_life::carried_out) == run_status::paused);
  run.wish = run_wish::cancel;
  CHECK(status_of(run, run_life::carried_out) == run_status::cancelling);
  run.ended = at_s(1);
  CHECK(status_of(run, run_life::carried_out) == run_status::ended);
}

TEST_CASE("a run is told in short and in full, with its pauses and its reasons", "[pure]") {
  auto row = some_row();
  row.status = run_status::running;
  row.vms[0].result = "moved";
  row.vms[0].pause_s = 0.00231;
  const auto in_short = run_in_short(row);
  CHECK(in_short.at("moved") == 1);
  CHECK(in_short.at("left") == 1);
  CHECK(in_short.at("exit_code").is_null());
  const auto list = runs_table(nlohmann::ordered_json::array({in_short}));
  CHECK(has(list, "20261123-083646-evacuate-n1"));
  CHECK(has(list, "running"));
  CHECK(has(list, "2.31"));
  const auto table = run_table(row);
  CHECK(has(table, "begun 2026-11-23 08:36:46 UTC by root@host:12"));
  CHECK(has(table, "1 moved, 1 stayed, 1 left"));
  CHECK(has(table, "it does not run"));
  CHECK(run_in_full(row).at("vms").size() == 3);
  CHECK(runs_table(nlohmann::ordered_json::array()) == "no run was written down yet\n");
}

TEST_CASE(
  "an event is one line with its fields, and an unreadable one is told as it is", "[pure]") {
  const journal_event phase{
    wall_time{std::chrono::milliseconds{1'795'423'006'123}}, vm_id{101},
    R"({"at":1,"event":"phase_changed","vm":101,"number":3,"from":"queued","to":"streaming"})"};
  CHECK(
    event_line(phase) ==
    "2026-11-23 08:36:46.123  VM 101  phase_changed number=3 from=queued to=streaming\n");
  CHECK(has(event_line({at_s(0), {}, "not json"}), "not json"));
}
