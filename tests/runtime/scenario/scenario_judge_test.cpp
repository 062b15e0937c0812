#include "runtime/scenario/scenario_judge.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::chrono_literals;

namespace {

wire::vm_entry running(std::uint32_t vm) {
  wire::vm_entry e;
  e.vm = vm_id{vm};
  e.state = wire::run_state::running;
  e.config_here = true;
  return e;
}

/// Two VMs that moved from n1 to n2 as they should.
struct good_case {
  good_case() {
    scenario.vms.push_back({});
    scenario.vms.front().first = vm_id{100};
    scenario.vms.front().count = 2;
    scenario.expect.exit_codes = {0};
    scenario.expect.moved = 2;
    scenario.expect.stayed = std::vector<expected_stay>{};
    scenario.expect.store_operations_in_pause_max = 0;
    scenario.expect.vms_on[node_id{"n2"}] = 2;
    scenario.expect.on_node[vm_id{100}] = node_id{"n2"};
    played.result.moved = 2;
    played.seen.lists[node_id{"n1"}] = {};
    played.seen.lists[node_id{"n2"}] = {{running(100), running(101)}, ""};
    played.beats[vm_id{100}].beats = 50;
    played.beats[vm_id{101}].beats = 50;
  }

  std::string first() const {
    const auto wrong = judge_scenario(scenario, played);
    return wrong.empty() ? std::string{} : wrong.front();
  }

  wire::vm_entry& vm() { return played.seen.lists[node_id{"n2"}].vms.front(); }

  scenario_file scenario;
  played_scenario played;
};

} // namespace

TEST_CASE("what went as it should is passed", "[judge]") { CHECK(good_case{}.first().empty()); }

TEST_CASE("each broken invariant is named", "[judge]") {
  good_case gone;
  gone.played.seen.lists[node_id{"n2"}].vms.pop_back();
  CHECK(gone.first() == "VM 101 is on 0 nodes: ");
  good_case twice;
  twice.played.seen.lists[node_id{"n1"}].vms.push_back(running(100));
  CHECK(twice.first() == "VM 100 is on 2 nodes: n1, n2");
  good_case paused;
  paused.vm().state = wire::run_state::paused;
  CHECK(paused.first() == "VM 100 is paused on n2");
  good_case foreign;
  foreign.vm().config_here = false;
  CHECK(foreign.first() == "VM 100 is on n2, but its config is not");
  good_case locked;
  locked.vm().lock = "migrate";
  CHECK(locked.first() == "VM 100 is locked: migrate");
  good_case unsettled;
  unsettled.vm().record = record_state::moving;
  CHECK(unsettled.first().find("not settled") != std::string::npos);
  good_case lost;
  lost.played.beats[vm_id{100}].lost = 1;
  CHECK(lost.first() == "1 beats were lost, 0 expected at most");
  good_case doubled;
  doubled.played.beats[vm_id{100}].overlapped = 2;
  CHECK(doubled.first() == "2 beats were doubled, 0 expected at most");
  good_case restarted;
  restarted.played.beats[vm_id{101}].restarted = 1;
  CHECK(restarted.first() == "VM 101 was restarted");
  good_case stale;
  stale.played.beats[vm_id{101}].flags.stale_page = true;
  CHECK(stale.first().find("stale memory") != std::string::npos);
}

TEST_CASE("each expectation that is not met is named", "[judge]") {
  good_case code;
  code.played.result.code = outcome_code::some_stayed;
  CHECK(code.first() == "the exit code is 2, expected 0");
  good_case moved;
  moved.played.result.moved = 1;
  CHECK(moved.first() == "1 VMs moved, expected 2");
  good_case stayed;
  stayed.played.result.stayed.push_back({vm_id{101}, "no way"});
  CHECK(stayed.first() == "VM 101 stayed unexpectedly: no way");
  good_case reason;
  reason.scenario.expect.stayed = {{vm_id{101}, "killed"}};
  reason.played.result.stayed.push_back({vm_id{101}, "no way"});
  CHECK(reason.first() == "VM 101 stayed because \"no way\", expected a reason with \"killed\"");
  good_case missing;
  missing.scenario.expect.stayed = {{vm_id{101}, "killed"}};
  CHECK(missing.first() == "VM 101 did not stay");
  good_case intrusion;
  intrusion.played.intrusions.push_back({vm_id{100}, node_id{"n2"}, "move_config"});
  CHECK(intrusion.first().empty());
  intrusion.played.result.migrations.push_back({});
  intrusion.played.result.migrations.back().vm = vm_id{100};
  CHECK(intrusion.first().find("move_config of VM 100 on n2") != std::string::npos);
  good_case slow;
  slow.scenario.expect.duration_s_max = 5;
  slow.played.result.duration_s = 6;
  CHECK(slow.first() == "it took 6.0 s, expected at most 5.0 s");
  good_case place;
  place.scenario.expect.on_node[vm_id{100}] = node_id{"n1"};
  CHECK(place.first() == "VM 100 is on n2, expected n1");
  good_case counted;
  counted.scenario.expect.vms_on[node_id{"n1"}] = 1;
  CHECK(counted.first() == "0 VMs run on n1, expected 1");
  good_case touched;
  touched.played.touched = {"store/nodes/n1/qemu-server/100.conf"};
  CHECK(touched.first().empty());
  touched.scenario.expect.untouched = true;
  CHECK(touched.first().find("100.conf") != std::string::npos);
  good_case mishap;
  mishap.played.mishaps = {"action 0 was never due"};
  CHECK(mishap.first() == "action 0 was never due");
}

TEST_CASE("a VM whose copies all stand is stuck, and no VM may be", "[judge]") {
  good_case c;
  c.vm().state = wire::run_state::paused;
  CHECK(
    judge_scenario(c.scenario, c.played) ==
    std::vector<std::string>{
      "VM 100 is paused on n2", "1 VMs are left paused, expected 0: 100 on n2"});
  c.scenario.expect.stuck = 1;
  CHECK(c.first().empty());
  c.scenario.expect.stuck = 2;
  CHECK(c.first() == "1 VMs are left paused, expected 2: 100 on n2");
  good_case excused;
  excused.vm().state = wire::run_state::paused;
  excused.played.excused.insert(vm_id{100});
  CHECK(excused.first().empty());
  excused.played.refused.insert(vm_id{100});
  CHECK(excused.first() == "1 VMs are left paused, expected 0: 100 on n2");
  good_case running;
  running.scenario.expect.stuck = 1;
  CHECK(running.first() == "0 VMs are left paused, expected 1");
}

TEST_CASE("races, violations and pauses are judged by their figures", "[judge]") {
  good_case races;
  races.played.races = 1;
  CHECK(races.first().empty());
  races.scenario.expect.races = 0;
  CHECK(races.first() == "1 races, expected 0");
  races.scenario.expect.races = 1;
  CHECK(races.first().empty());
  races.scenario.expect.races_min = 2;
  CHECK(races.first() == "1 races, expected 2 at least");
  good_case violation;
  violation.played.violations = {"VM 100 runs twice"};
  CHECK(violation.first() == "violation: VM 100 runs twice");
  violation.scenario.expect.violations = 1;
  CHECK(violation.first().empty());
  good_case slow;
  slow.scenario.expect.pause_p99_ms_max = 20;
  CHECK(slow.first() == "no pause was measured, expected a p99 of at most 20.0 ms");
  slow.played.result.pause = distribution{0.01, 0.02, 0.03};
  CHECK(slow.first().empty());
  slow.scenario.expect.pause_p50_ms_max = 9;
  CHECK(slow.first() == "the p50 pause is 10.0 ms, expected at most 9.0 ms");
  slow.scenario.expect.pause_p50_ms_max.reset();
  slow.scenario.expect.pause_max_ms = 29;
  CHECK(slow.first() == "the longest pause is 30.0 ms, expected at most 29.0 ms");
  good_case unknown;
  unknown.scenario.expect.pauses_unknown = 1;
  CHECK(unknown.first() == "of 0 pauses no figure is told, expected 1");
  unknown.played.result.migrations.emplace_back().figures.pause_unknown = "a clock was set";
  unknown.played.result.migrations.back().end = verdict::moved;
  CHECK(unknown.first().empty());
}

TEST_CASE("a VM that was paused has to be paused at the end", "[judge]") {
  good_case c;
  c.scenario.vms.front().paused = true;
  CHECK(c.first() == "VM 100 is running on n2");
}

TEST_CASE("a store operation counts when it overlaps its own VM's pause", "[pause_audit]") {
  const auto mark = [](std::uint32_t vm, const char* what, milliseconds at) {
    return trace_event{{}, pause_mark{vm_id{vm}, epoch{1}, node_id{"n1"}, what, wall_time{at}}};
  };
  const auto operation = [](std::uint32_t vm, milliseconds begin, milliseconds end) {
    return trace_event{
      {},
      store_operation{node_id{"n2"}, "move", vm_id{vm}, wall_time{begin}, wall_time{end}, true}};
  };
  pause_audit audit;
  audit.take(operation(100, 1ms, 9ms));
  audit.take(operation(100, 15ms, 25ms));
  audit.take(operation(101, 12ms, 14ms));
  audit.take(mark(100, "source_stopped", 10ms));
  audit.take(mark(100, "target_loaded", 15ms));
  audit.take(mark(100, "resumed", 20ms));
  audit.take(mark(100, "claimed", 30ms));
  audit.take(operation(100, 20ms, 28ms));
  const auto found = audit.store_operations_in_pauses();
  REQUIRE(found.size() == 1);
  CHECK(found.front().vm == vm_id{100});
  CHECK(found.front().node == node_id{"n2"});
  CHECK(audit.store_operations_outside_pauses() == 2);
  CHECK(audit.races() == 0);
  audit.take({{}, race_met{vm_id{100}, epoch{1}, node_id{"n2"}, policy::check, "refused"}});
  CHECK(audit.races() == 1);
  CHECK(audit.refused() == std::set{vm_id{100}});
}

TEST_CASE(
  "calls for the cluster's lock count in the pauses of the policy that takes it", "[pause_audit]") {
  const auto mark = [](const char* node, const char* what, milliseconds at) {
    return trace_event{{}, pause_mark{vm_id{100}, epoch{1}, node_id{node}, what, wall_time{at}}};
  };
  const auto operation = [](const char* node, const char* what, milliseconds begin) {
    return trace_event{
      {},
      store_operation{
        node_id{node}, what, vm_id{}, wall_time{begin}, wall_time{begin + 1ms}, true}};
  };
  const auto audited = [&](policy how) {
    pause_audit audit;
    audit.take(mark("n1", "source_stopped", 10ms));
    audit.take(operation("n1", "take_lock", 12ms));
    audit.take(operation("n2", "drop_lock", 14ms));
    audit.take(operation("n3", "take_lock", 14ms));
    audit.take(operation("n1", "barrier", 14ms));
    audit.take(operation("n1", "drop_lock", 25ms));
    audit.take(mark("n2", "resumed", 20ms));
    migration_ended ended;
    ended.vm = vm_id{100};
    ended.how = how;
    audit.take({{}, ended});
    return audit.store_operations_in_pauses().size();
  };
  CHECK(audited(policy::lock) == 2);
  CHECK(audited(policy::ticket) == 0);
}
