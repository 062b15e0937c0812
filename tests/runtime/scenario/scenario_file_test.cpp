#include "runtime/scenario/scenario_file.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

using namespace drover;

namespace {

const std::string whole = R"({
  "why": "Shows that every field of a scenario is read.",
  "deadline_s": 30,
  "cluster": {
    "nodes": {"n1": {"memory": "1G", "reserve": "10M"},
              "n2": {"memory": "2G", "limits": {"streams": 1}}},
    "limits": {"prepare": 3, "cluster": 9},
    "accel": "auto"
  },
  "vms": [
    {"count": 3, "first": 100, "node": "n1", "memory": "4M", "hz": 50, "pages_per_beat": 2,
     "working_set": 128, "migrate_speed_mb": 7, "migrate_downtime_ms": 40, "paused": true},
    {"first": 200, "node": "n2", "disk": {"size": "1M", "step_beats": 5, "ring_sectors": 32}}
  ],
  "actions": [
    {"at_ms": 100, "evacuate": "n1", "to": ["n2"], "policy": "claim"},
    {"migrate": 200, "to": "n1"},
    {"when": {"event": "phase_changed", "vm": 101, "to": "streaming", "count": 2},
     "after_ms": 20, "kill_target_qemu": 101},
    {"when": {"event": "link_changed", "node": "n2", "state": "up"}, "kill_agent": "n1"},
    {"cancel": true}
  ],
  "expect": {"exit_code": [0, 2], "result": "some_stayed", "moved": 2,
    "stayed": [{"vm": 101, "reason_contains": "killed"}], "beats_lost": 1, "beats_doubled": 2,
    "duration_s_max": 12.5, "store_operations_in_pause_max": 0, "untouched": false,
    "on_node": {"101": "n1"}, "vms_on": {"n1": 1, "n2": 3}}
})";

result<scenario_file> parse(const std::string& text) {
  return parse_scenario_file(text, "scenarios/x.json");
}

/// The whole scenario with one JSON pointer set to a value ("null" removes it).
std::string error_with(const std::string& pointer, const std::string& value) {
  auto document = nlohmann::json::parse(whole);
  const nlohmann::json::json_pointer where(pointer);
  const auto parsed = nlohmann::json::parse(value);
  if (parsed.is_null())
    document.at(where.parent_pointer()).erase(where.back());
  else
    document[where] = parsed;
  const auto file = parse(document.dump());
  if (file)
    return "accepted";
  CHECK(file.error().code == errc::invalid);
  return to_string(file.error());
}

trace_event phase_event(std::uint32_t vm, const std::string& to) {
  phase_changed body;
  body.vm = vm_id{vm};
  body.to = to;
  return {{}, body};
}

} // namespace

TEST_CASE("a scenario is read with every field") {
  const auto file = parse(whole);
  if (!file)
    FAIL(to_string(file.error()));
  const auto& s = *file;
  CHECK(s.name == "x");
  CHECK(s.deadline_s == 30);
  CHECK(s.accel == "auto");
  CHECK(s.nodes.at(node_id{"n1"}).reserve_bytes == 10ULL << 20U);
  CHECK(s.nodes.at(node_id{"n2"}).limits == node_limits{3, 8, 1});
  CHECK(s.limits.cluster == 9);
  REQUIRE(s.vms.size() == 2);
  CHECK(s.vms[0].settings == beacon_settings{50, 2, 128, 0, 0, 4096});
  CHECK(s.vms[0].migrate_speed_mb == 7);
  CHECK(s.vms[0].migrate_downtime_ms == 40);
  CHECK(s.vms[0].paused);
  CHECK(s.vms[1].settings == beacon_settings{20, 1, 64, 5, 32, 2048});
  CHECK(s.vms[1].disk_bytes == 1ULL << 20U);
  CHECK(s.vms[1].count == 1);
  REQUIRE(s.actions.size() == 5);
  const auto& evacuate = std::get<action::evacuate>(s.actions[0].what);
  CHECK(s.actions[0].after == milliseconds{100});
  CHECK(evacuate.node == node_id{"n1"});
  CHECK(evacuate.targets == std::set<node_id>{node_id{"n2"}});
  CHECK(evacuate.how == policy::claim);
  CHECK(std::get<action::migrate>(s.actions[1].what).how == policy::ticket);
  CHECK(s.actions[2].when->count == 2);
  CHECK(s.actions[2].after == milliseconds{20});
  CHECK(std::get<action::kill_target_qemu>(s.actions[2].what).vm == vm_id{101});
  CHECK(std::get<action::kill_agent>(s.actions[3].what).node == node_id{"n1"});
  CHECK(std::holds_alternative<action::cancel>(s.actions[4].what));
  CHECK(s.expect.exit_codes == std::set<int>{0, 2});
  CHECK(s.expect.result == "some_stayed");
  CHECK(s.expect.moved == 2U);
  REQUIRE(s.expect.stayed.value().size() == 1);
  CHECK(s.expect.stayed->front().reason_contains == "killed");
  CHECK(s.expect.beats_lost == 1);
  CHECK(s.expect.beats_doubled == 2);
  CHECK(s.expect.duration_s_max == 12.5);
  CHECK(s.expect.store_operations_in_pause_max == 0U);
  CHECK(s.expect.on_node.at(vm_id{101}) == node_id{"n1"});
  CHECK(s.expect.vms_on.at(node_id{"n2"}) == 3);
}

TEST_CASE("what a scenario leaves out has its default or is not judged") {
  const auto file = parse(R"({"why": "The least that a scenario can be.",
    "cluster": {"nodes": {"n1": {"memory": "1G"}, "n2": {"memory": "1G"}}},
    "vms": [{"node": "n1"}], "actions": [{"evacuate": "n1"}], "expect": {"exit_code": 0}})");
  if (!file)
    FAIL(to_string(file.error()));
  CHECK(file->vms[0].first == vm_id{100});
  CHECK(file->vms[0].settings == beacon_settings{});
  CHECK(file->accel == "tcg");
  CHECK(file->actions[0].after == milliseconds{0});
  CHECK(file->expect.exit_codes == std::set<int>{0});
  CHECK(file->expect.beats_lost == 0);
  CHECK_FALSE(file->expect.result.has_value());
  CHECK_FALSE(file->expect.moved.has_value());
  CHECK_FALSE(file->expect.stayed.has_value());
}

TEST_CASE("every fault of a scenario is told with file, path and what would be right") {
  struct fault {
    std::string pointer;
    std::string value;
    std::string message; ///< after the file's name
  };
  const std::vector<fault> faults{
    {"/why", "null", "/why: is missing"},
    {"/why", "\"short\"", "/why: expected one to three sentences on what the scenario shows"},
    {"/deadline_s", "0", "/deadline_s: expected a whole number from 1 to 86400, found 0"},
    {"/cluster", "null", "/cluster: is missing"},
    {"/cluster/nodes", "{}", "/cluster/nodes: a cluster needs at least one node"},
    {"/cluster/nodes/n1/memory", "\"5M\"", "/cluster/nodes/n1/memory: leaves no memory for guests"},
    {"/cluster/nodes/n1/link", "\"process\"",
     "/cluster/nodes/n1/link: unknown field; known here: limits, memory, reserve"},
    {"/cluster/limits/cluster", "0",
     "/cluster/limits/cluster: expected a whole number from 1 to 100000, found 0"},
    {"/vms", "[]", "/vms: a scenario needs at least one VM"},
    {"/vms", "null", "/vms: a scenario needs at least one VM"},
    {"/vms/0/node", "\"n7\"", "/vms/0/node: there is no node n7 in this scenario; nodes: n1, n2"},
    {"/vms/1/first", "102", "/vms/1/first: VM 102 is in an earlier group already"},
    {"/vms/0/first", "99", "/vms/0/first: expected a whole number from 100 to 999999999, found 99"},
    {"/vms/0/first", "999999998", "/vms/0/count: goes past the last VM number, 999999999"},
    {"/vms/0/count", "10000", "/vms/1/first: VM 200 is in an earlier group already"},
    {"/vms/0/hz", "0", "/vms/0/hz: expected a whole number from 1 to 10000, found 0"},
    {"/vms/0/memory", "2",
     "/vms/0/memory: expected a size with its unit in quotes, like "
     "\"16G\", found 2"},
    {"/vms/0/memory", "\"4G\"", "/vms/0/memory: expected 1K to 2G"},
    {"/vms/0/paused", "1", "/vms/0/paused: expected true or false, found 1"},
    {"/vms/1/disk/size", "\"1000B\"", "/vms/1/disk/size: expected a multiple of 512 bytes"},
    {"/vms/1/disk/ring_sectors", "2049", "/vms/1/disk/ring_sectors: does not fit onto the disk"},
    {"/vms/0/hertz", "5",
     "/vms/0/hertz: unknown field; known here: count, disk, first, hz, memory, "
     "migrate_downtime_ms, migrate_speed_mb, node, pages_per_beat, paused, working_set"},
    {"/actions/0/evacuate", "\"n9\"",
     "/actions/0/evacuate: there is no node n9 in this scenario; nodes: n1, n2"},
    {"/actions/0/to", "[\"n1\"]", "/actions/0/to: a node cannot be evacuated to itself"},
    {"/actions/0/to", "[\"n4\"]",
     "/actions/0/to: there is no node n4 in this scenario; nodes: n1, n2"},
    {"/actions/0/policy", "\"fast\"",
     "/actions/0/policy: expected one of check, nocheck, lock, early, claim, ticket, found \"fast\""},
    {"/actions/0/cancel", "true",
     "/actions/0/cancel: an action does one thing, and this one does evacuate already"},
    {"/actions/0/evacuate", "null",
     "/actions/0: an action needs one of evacuate, migrate, kill_target_qemu, kill_agent, cancel"},
    {"/actions/0/after_ms", "5",
     "/actions/0/after_ms: belongs to a condition (when); without one: at_ms"},
    {"/actions/1/migrate", "300", "/actions/1/migrate: there is no VM 300 in this scenario"},
    {"/actions/1/to", "null", "/actions/1/to: is missing"},
    {"/actions/2/at_ms", "5",
     "/actions/2/at_ms: an action has a time or a condition; after a condition: after_ms"},
    {"/actions/2/when/to", "\"stremaing\"",
     "/actions/2/when/to: expected one of waiting, beginning, receiving, queued, streaming, "
     "moving_config, taking_over, claiming, cleaning, voiding, reverting, ended"},
    {"/actions/2/when/vm", "99", "/actions/2/when/vm: there is no VM 99 in this scenario"},
    {"/actions/2/when/phase", "\"x\"",
     "/actions/2/when/phase: unknown field; known here: count, event, from, number, to, vm"},
    {"/actions/2/when/count", "0",
     "/actions/2/when/count: expected a whole number from 1 to 1000000, found 0"},
    {"/actions/2/when/to", "[]", "/actions/2/when/to: expected a word, a number, true or false"},
    {"/actions/4/cancel", "false", "/actions/4/cancel: expected true"},
    {"/actions", "[{\"cancel\": true}]", "/actions: a scenario evacuates or migrates something"},
    {"/expect", "null", "/expect: is missing"},
    {"/expect/exit_code", "null", "/expect/exit_code: is missing"},
    {"/expect/exit_code", "7", "/expect/exit_code: expected 0 to 6, found 7"},
    {"/expect/exit_code", "[]", "/expect/exit_code: expected at least one code"},
    {"/expect/result", "\"ok\"",
     "/expect/result: expected one of all_moved, some_stayed, infeasible, cancelled, "
     "deadline_passed, needs_operator, error, found \"ok\""},
    {"/expect/stayed/0/vm", "1", "/expect/stayed/0/vm: there is no VM 1 in this scenario"},
    {"/expect/on_node/5x", "\"n1\"", "/expect/on_node: there is no VM 5x in this scenario"},
    {"/expect/on_node/101", "\"n5\"",
     "/expect/on_node: there is no node n5 in this scenario; nodes: n1, n2"},
    {"/expect/vms_on/n5", "1",
     "/expect/vms_on: there is no node n5 in this scenario; nodes: n1, n2"},
    {"/expect/lost", "0",
     "/expect/lost: unknown field; known here: beats_doubled, beats_lost, duration_s_max, "
     "exit_code, moved, on_node, result, stayed, store_operations_in_pause_max, untouched, "
     "vms_on"},
    {"/expects", "{}",
     "/expects: unknown field; known here: actions, cluster, deadline_s, expect, vms, why"},
  };
  for (const auto& f : faults) {
    INFO(f.pointer << " = " << f.value);
    CHECK(error_with(f.pointer, f.value) == "scenarios/x.json: " + f.message);
  }
  CHECK_THAT(
    error_with("/actions/2/when/event", "\"phase\""),
    Catch::StartsWith("scenarios/x.json: /actions/2/when/event: no such event; there are "
                      "barrier_passed, evacuation_ended, "));
}

TEST_CASE("a cut or altered scenario is an error or a scenario, never a crash") {
  for (std::size_t n = 0; n < whole.size(); ++n)
    CHECK_FALSE(parse(whole.substr(0, n)).has_value());
  for (std::size_t n = 0; n < whole.size(); ++n)
    for (const char c : {'"', '[', '9', '\0', '\xff'}) {
      auto text = whole;
      text[n] = c;
      const auto file = parse(text);
      CHECK((file.has_value() || file.error().code == errc::invalid));
    }
}

TEST_CASE("a condition is fulfilled once, at the event that it counts to") {
  const auto file = parse(whole);
  REQUIRE(file.has_value());
  event_counter counter(*file->actions[2].when);
  CHECK_FALSE(counter.take(phase_event(101, "receiving")));
  CHECK_FALSE(counter.take(phase_event(101, "streaming")));
  CHECK_FALSE(counter.take(phase_event(100, "streaming")));
  CHECK_FALSE(counter.take({{}, link_changed{node_id{"n1"}, "up", ""}}));
  CHECK(counter.take(phase_event(101, "streaming")));
  CHECK_FALSE(counter.take(phase_event(101, "streaming")));
}

TEST_CASE("a scenario's cluster stands in its room, each node in its own place") {
  const auto file = parse(whole);
  REQUIRE(file.has_value());
  const auto cluster = local_cluster(*file, "/tmp/room");
  CHECK(cluster.name == "x");
  CHECK(cluster.store_path == "/tmp/room/store");
  CHECK(cluster.nodes.at(node_id{"n2"}).run_dir == "/tmp/room/n2");
  CHECK(cluster.nodes.at(node_id{"n2"}).memory_bytes == 2ULL << 30U);
  CHECK(cluster.nodes.at(node_id{"n2"}).limits.streams == 1);
  CHECK(cluster.limits.cluster == 9);
  CHECK(cluster.storages.at("disks").shared);
}

TEST_CASE("every scenario that is shipped can be read") {
  std::size_t read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(DROVER_SCENARIOS)) {
    if (entry.path().extension() != ".json")
      continue;
    const auto file = read_scenario_file(entry.path());
    INFO(entry.path());
    if (!file)
      FAIL(to_string(file.error()));
    CHECK(file->name == entry.path().stem());
    ++read;
  }
  CHECK(read >= 5);
}
