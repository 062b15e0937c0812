// Broken scenarios: what the reader says of each. A new field's faults belong into these tables.
#include "tests/runtime/scenario/scenario_samples.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace drover;
using namespace drover::testing;

namespace {

struct fault {
  std::string pointer;
  std::string value;
  std::string message; ///< after the file's name; a list of known fields may go on
};

/// A scenario with one JSON pointer set to a value ("null" removes it).
std::string error_with(const std::string& scenario, const fault& f) {
  auto document = nlohmann::json::parse(scenario);
  const nlohmann::json::json_pointer where(f.pointer);
  const auto parsed = nlohmann::json::parse(f.value);
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

void check_faults(const std::string& scenario, const std::vector<fault>& faults) {
  for (const auto& f : faults) {
    INFO(f.pointer << " = " << f.value);
    const auto message = "scenarios/x.json: " + f.message;
    if (message.back() == ' ')
      CHECK_THAT(error_with(scenario, f), Catch::StartsWith(message));
    else
      CHECK(error_with(scenario, f) == message);
  }
}

const std::vector<fault> common_faults{
  {"/why", "null", "/why: is missing"},
  {"/why", "\"short\"", "/why: expected one to three sentences on what the scenario shows"},
  {"/deadline_s", "0", "/deadline_s: expected a whole number from 1 to 86400, found 0"},
  {"/cluster", "null", "/cluster: is missing"},
  {"/cluster/nodes", "{}", "/cluster/nodes: a cluster needs at least one node"},
  {"/cluster/nodes/n1/memory", "\"5M\"", "/cluster/nodes/n1/memory: leaves no memory for guests"},
  {"/cluster/nodes/n1/link", "\"process\"",
   "/cluster/nodes/n1/link: unknown field; known here: bandwidth_mib_s, clock, limits, "
   "link_latency, login, memory, reserve, store_lag"},
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
   "migrate_downtime_ms, migrate_speed_mb, node, onboot, pages_per_beat, paused, tags, "
   "working_set"},
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
   "/actions/0: an action needs one of evacuate, migrate, cancel, recover, restart_controller, "
   "kill_target_qemu, kill_source_qemu, kill_agent, kill_node, boot_node, slow_node, cut_link, "
   "half_open_link, slow_link, duplicate_lines, lag, hang_store_ms, lose_quorum, "
   "change_membership, cut_store, remove_lock, fail_writes, fail_marks, refuse_receive, "
   "lose_acknowledgement, cut_streams, stall_streams, strangers, clock_jump"},
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
  {"/expect", "0", "/expect: expected an object, found 0"},
  {"/expect/exit_code", "\"0\"", "/expect/exit_code: expected a whole number, found \"0\""},
  {"/expect/exit_code", "7", "/expect/exit_code: expected 0 to 6, found 7"},
  {"/expect/exit_code", "[]", "/expect/exit_code: expected at least one code"},
  {"/expect/result", "\"ok\"",
   "/expect/result: expected one of all_moved, some_stayed, infeasible, cancelled, "
   "deadline_passed, needs_operator, error, found \"ok\""},
  {"/expect/stayed/0/vm", "1", "/expect/stayed/0/vm: there is no VM 1 in this scenario"},
  {"/expect/on_node/5x", "\"n1\"", "/expect/on_node: there is no VM 5x in this scenario"},
  {"/expect/on_node/101", "\"n5\"",
   "/expect/on_node: there is no node n5 in this scenario; nodes: n1, n2"},
  {"/expect/vms_on/n5", "1", "/expect/vms_on: there is no node n5 in this scenario; nodes: n1, n2"},
  {"/expect/lost", "0",
   "/expect/lost: unknown field; known here: beats_doubled, beats_lost, duration_s_max, "
   "exit_code, golden, moved, on_node, pause_max_ms, pause_p50_ms_max, pause_p99_ms_max, "
   "pauses_unknown, policies, races, races_min, result, stayed, store_operations_in_pause_max, "
   "stuck, "
   "untouched, violations, vms_on"},
  {"/expects", "{}",
   "/expects: unknown field; known here: actions, cluster, compare_vms, deadline_s, expect, "
   "random, repeat_until_settled, seeds_max, vms, why, worlds"},
  {"/actions/2/when/event", "\"phase\"",
   "/actions/2/when/event: no such event; there are any, actors_sampled, barrier_passed, "},
};

const std::vector<fault> sim_faults{
  {"/worlds", "[\"moon\"]", "/worlds: expected one of sim, local, found \"moon\""},
  {"/worlds", "[]", "/worlds: expected at least one of sim, local"},
  {"/worlds", "[\"local\"]",
   "/worlds: the local world cannot play this scenario, because of /repeat_until_settled"},
  {"/repeat_until_settled", "\"yes\"",
   "/repeat_until_settled: expected true or false, found \"yes\""},
  {"/cluster/store/lag", "100",
   "/cluster/store/lag: expected a time like \"100ms\", or an object with least and most, "
   "found 100"},
  {"/cluster/store/lag", "\"fast\"",
   "/cluster/store/lag: expected a time with its unit (ns, us, ms, s, m), like 100ms or 2s"},
  {"/cluster/store/lag/most", "\"100us\"", "/cluster/store/lag/most: is less than the least, 1ms"},
  {"/cluster/store/lag/slow_most", "null",
   "/cluster/store/lag/slow_most: is missing: how long the slow ones take, like \"2s\""},
  {"/cluster/store/kind", "\"etcd\"",
   "/cluster/store/kind: expected one of plain, lagging, found \"etcd\""},
  {"/cluster/store/lags", "\"1s\"",
   "/cluster/store/lags: unknown field; known here: kind, lag, lock_expiry_ms, write"},
  {"/cluster/store/lock_expiry_ms", "0",
   "/cluster/store/lock_expiry_ms: expected a whole number from 1 to 86400000, found 0"},
  {"/cluster/link/speed", "1", "/cluster/link/speed: unknown field; known here: latency"},
  {"/cluster/stream/channels", "17",
   "/cluster/stream/channels: expected a whole number from 1 to 16, found 17"},
  {"/cluster/stream/bandwidth_mb", "0",
   "/cluster/stream/bandwidth_mb: expected a whole number from 1 to 1000000, found 0"},
  {"/cluster/nodes/n1/store_lag", "\"2days\"",
   "/cluster/nodes/n1/store_lag: expected a time with its unit (ns, us, ms, s, m), like 100ms "
   "or 2s"},
  {"/vms/0/tags", "[\"two words\"]",
   "/vms/0/tags: expected words of letters, digits, _, -, + and ., found \"two words\""},
  {"/vms/0/onboot", "1", "/vms/0/onboot: expected true or false, found 1"},
  {"/actions/1/restart_controller", "false", "/actions/1/restart_controller: expected true"},
  {"/actions/2/kill_source_qemu", "7",
   "/actions/2/kill_source_qemu: there is no VM 7 in this scenario"},
  {"/actions/3/kill_node", "\"n3\"",
   "/actions/3/kill_node: there is no node n3 in this scenario; nodes: n1, n2"},
  {"/actions/5/times", "null", "/actions/5/times: is missing: how many times slower"},
  {"/actions/5/times", "1", "/actions/5/times: expected a whole number from 2 to 1000, found 1"},
  {"/actions/6/for_ms", "null",
   "/actions/6/for_ms: is missing: how long it lasts, in milliseconds"},
  {"/actions/6/for_ms", "0",
   "/actions/6/for_ms: expected a whole number from 1 to 86400000, found 0"},
  {"/actions/6/count", "2", "/actions/6/count: unknown field; known here: after_ms, at_ms, "},
  {"/actions/8/latency", "null",
   "/actions/8/latency: is missing: a time like \"100ms\", or an object with least and most"},
  {"/actions/10/delay", "null",
   "/actions/10/delay: is missing: a time like \"100ms\", or an object with least and most"},
  {"/actions/11/hang_store_ms", "0",
   "/actions/11/hang_store_ms: expected a whole number from 1 to 86400000, found 0"},
  {"/actions/12/lose_quorum", "\"n3\"",
   "/actions/12/lose_quorum: there is no node n3 in this scenario; nodes: n1, n2"},
  {"/actions/14/applied_percent", "101",
   "/actions/14/applied_percent: expected a whole number from 0 to 100, found 101"},
  {"/actions/15/heal", "\"lost\"",
   "/actions/15/heal: expected one of kept, rolled_back, found \"lost\""},
  {"/actions/16/remove_lock", "\"\"", "/actions/16/remove_lock: expected a lock's name"},
  {"/actions/17/count", "0",
   "/actions/17/count: expected a whole number from 1 to 1000000, found 0"},
  {"/actions/20/lose_acknowledgement", "\"n1\"",
   "/actions/20/lose_acknowledgement: expected a whole number, found \"n1\""},
  {"/actions/22/when/owner", "\"n9\"",
   "/actions/22/when/owner: there is no node n9 in this scenario; nodes: n1, n2"},
  {"/actions/23/by_ms", "null",
   "/actions/23/by_ms: is missing: how far the clock is set forward, or back (negative)"},
  {"/actions/23/by_ms", "1e18", "/actions/23/by_ms: expected a whole number, found 1e+18"},
  {"/actions/23/by_ms", "40000000000",
   "/actions/23/by_ms: expected at most a year, forward or back"},
  {"/cluster/nodes/n2/clock/drift_per_million", "100",
   "/cluster/nodes/n2/clock/drift_per_million: expected -99 to 99, as far as crystals are apart"},
  {"/cluster/nodes/n2/clock/heard_after_ms", "1001",
   "/cluster/nodes/n2/clock/heard_after_ms: expected a whole number from 0 to 1000, found 1001"},
  {"/cluster/nodes/n2/clock/zone", "1",
   "/cluster/nodes/n2/clock/zone: unknown field; known here: ahead_ms, drift_per_million, "
   "heard_after_ms, up_s"},
  {"/random/clocks", "1", "/random/clocks: expected true or false, found 1"},
  {"/random/faults", "\"some\"",
   "/random/faults: expected \"all\" or weights like {\"cut_link\": 30}"},
  {"/random/faults/meteor", "1",
   "/random/faults/meteor: no such fault; there are restart_controller, kill_target_qemu, "
   "kill_source_qemu, kill_agent, kill_node, slow_node, cut_link, half_open_link, slow_link, "
   "duplicate_lines, lag, hang_store, lose_quorum, change_membership, cut_store, "
   "roll_back_store, remove_lock, "
   "fail_writes, fail_marks, refuse_receive, lose_acknowledgement, cut_streams, stall_streams, "
   "cancel, clock_jump"},
  {"/random/faults/lag", "-1",
   "/random/faults/lag: expected a whole number from 0 to 4294967295, found -1"},
  {"/random/every_ms", "0",
   "/random/every_ms: expected a whole number from 1 to 86400000, found 0"},
  {"/random/until_ms", "600000",
   "/random/until_ms: leaves no time to settle before the deadline of 600 s"},
  {"/random/nodes", "{\"least\": 1, \"most\": 3}",
   "/random/nodes/least: expected a whole number from 2 to 1000, found 1"},
  {"/random/nodes", "{\"least\": 3}", "/random/nodes/most: is missing"},
  {"/random/nodes", "{\"least\": 5, \"most\": 3}", "/random/nodes/most: is less than the least, 5"},
  {"/random/nodes", "{\"most\": 3}",
   "/cluster/nodes: the nodes are drawn (/random/nodes), so they cannot be written too"},
  {"/random/vms", "{\"most\": 3}",
   "/vms: the VMs are drawn (/random/vms), so they cannot be written too"},
  {"/random/memory", "[\"2M\"]",
   "/random/memory: is drawn for VMs that are drawn, and vms is missing here"},
  {"/random/policies", "\"some\"",
   "/random/policies: expected \"all\", \"safe\" or a list of policies"},
  {"/random/policies", "[\"hope\"]",
   "/random/policies: expected one of check, nocheck, lock, early, claim, ticket, found "
   "\"hope\""},
  {"/random/policies", "[]", "/random/policies: expected at least one policy"},
  {"/random/seed", "1",
   "/random/seed: unknown field; known here: clocks, evacuations, every_ms, faults, memory, "
   "nodes, policies, until_ms, vms"},
  {"/expect/pause_p50_ms_max", "-1", "/expect/pause_p50_ms_max: expected 0 or more"},
  {"/expect/races", "2", "/expect/races_min: races says exactly how many already"},
  {"/expect/stuck", "-1", "/expect/stuck: expected a whole number from 0 to 4294967295, found -1"},
  {"/expect/golden", "\"x\"", "/expect/golden: expected true or false, found \"x\""},
  {"/expect/policies/hope", "{}",
   "/expect/policies/hope: expected a policy's name: one of check, nocheck, lock, early, claim, "
   "ticket"},
  {"/expect/policies/check/policies", "{}",
   "/expect/policies/check/policies: unknown field; known here: beats_doubled, "},
  {"/expect/policies/check/exit_code", "9",
   "/expect/policies/check/exit_code: expected 0 to 6, found 9"},
};

const std::vector<fault> mortal_faults{
  {"/actions/0/killed_at/to", "\"stream\"",
   "/actions/0/killed_at/to: expected one of waiting, beginning, receiving, "},
  {"/actions/0/killed_at", "null",
   "/actions/0/killed_agents: die with the controller, and killed_at is missing"},
  {"/actions/0/killed_agents", "[\"n9\"]",
   "/actions/0/killed_agents: there is no node n9 in this scenario; nodes: n1, n2"},
  {"/actions/1/recover", "false", "/actions/1/recover: expected true"},
  {"/actions/2/killed_at/to", "\"streaming\"",
   "/actions/2/killed_at/to: unknown field; known here: count, event"},
  {"/actions/2/killed_at/count/most", "null", "/actions/2/killed_at/count/most: is missing"},
  {"/actions/2/killed_at/count/most", "2",
   "/actions/2/killed_at/count/most: is less than the least, 3"},
  {"/cluster/link", "\"ssh\"",
   "/actions/0/evacuate: a controller is killed only where links are processes"},
};

} // namespace

TEST_CASE("every fault of a scenario is told with file, path and what would be right") {
  check_faults(mortal, mortal_faults);
  check_faults(whole, common_faults);
}

TEST_CASE("every fault of what the simulated world can do is told likewise") {
  check_faults(stormy, sim_faults);
}

TEST_CASE("a scenario that cannot be played with fewer VMs is told why") {
  const std::string impossible =
    "/compare_vms: only a scenario that draws nothing and whose actions all evacuate a node to "
    "named ones (\"to\"), waiting for no event, can be played with fewer VMs";
  check_faults(
    growing, {{"/compare_vms", "0", "/compare_vms: expected a whole number from 1 to 9, found 0"},
              {"/compare_vms", "10", "/compare_vms: expected a whole number from 1 to 9, found 10"},
              {"/compare_vms", "\"1\"", "/compare_vms: expected a whole number, found \"1\""},
              {"/actions/0/to", "null", impossible},
              {"/actions/0/when", R"({"event": "evacuation_ended"})", impossible},
              {"/actions/0", R"({"migrate": 100, "to": "n3"})", impossible},
              {"/random", R"({"faults": "all"})", impossible},
              {"/actions/0/evacuate", "\"n5\"",
               "/compare_vms: no action evacuates a node that holds one of the first VMs"},
              {"/vms", R"([{"node": "n1"}])",
               "/compare_vms: a scenario of one VM cannot be played with fewer"},
              {"/worlds", "[\"local\"]",
               "/worlds: the local world cannot play this scenario, because of /compare_vms"}});
}

TEST_CASE("a drawn cluster has the nodes and VMs that every seed draws, and no others") {
  check_faults(
    drawn_whole,
    {{"/actions", "[{\"evacuate\": \"n4\"}]",
      "/actions/0/evacuate: there is no node n4 in this scenario; nodes: n1 to n3 are always "
      "drawn"},
     {"/actions", "[{\"migrate\": 101, \"to\": \"n1\"}]",
      "/actions/0/migrate: there is no VM 101 in this scenario"},
     {"/random/nodes", "null", "/cluster/nodes: a cluster needs at least one node"},
     {"/random/evacuations", "0", "/actions: a scenario evacuates or migrates something"},
     {"/random/memory", "[\"3G\"]", "/random/memory: expected 1K to 2G, found 3G"},
     {"/random/memory", "[\"3\"]",
      "/random/memory: expected a size with its unit (B, K, M, G, T), like 2G or 512M"},
     {"/worlds", "[\"sim\", \"local\"]",
      "/worlds: the local world cannot play this scenario, because of /random"}});
}
