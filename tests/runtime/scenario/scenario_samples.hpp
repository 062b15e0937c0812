// Scenarios with every field, for the tests of the format. Rule: each can be read as it stands.
#pragma once

#include "runtime/scenario/scenario_file.hpp"

#include <string>

namespace drover::testing {

/// What both worlds can do.
inline const std::string whole = R"({
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

/// What only the simulated world can do, as it is written.
inline const std::string stormy = R"({
  "why": "Shows that every field of the simulated world is read.",
  "deadline_s": 600,
  "worlds": ["sim"],
  "repeat_until_settled": true,
  "cluster": {
    "nodes": {"n1": {"memory": "1G", "store_lag": "2s", "link_latency": "5ms"},
              "n2": {"memory": "2G", "clock": {"ahead_ms": -1500, "up_s": 3600,
                     "drift_per_million": -40, "heard_after_ms": 2}}},
    "store": {"kind": "lagging", "lag": {"least": "1ms", "most": "5ms", "slow_per_million": 1000,
              "slow_most": "2s"}, "write": "3ms", "lock_expiry_ms": 60000},
    "link": {"latency": "200us"},
    "stream": {"bandwidth_mb": 250}
  },
  "vms": [
    {"count": 3, "node": "n1", "tags": ["db", "eu-1"], "onboot": true, "hz": 100,
     "pages_per_beat": 50, "working_set": 4096}
  ],
  "actions": [
    {"evacuate": "n1"},
    {"restart_controller": true},
    {"kill_source_qemu": 100},
    {"kill_node": "n1"},
    {"boot_node": "n1"},
    {"slow_node": "n1", "times": 10},
    {"cut_link": "n1", "for_ms": 100},
    {"half_open_link": "n1", "for_ms": 200},
    {"slow_link": "n2", "latency": "50ms", "for_ms": 300},
    {"duplicate_lines": "n2", "for_ms": 400},
    {"lag": "n2", "delay": "3s", "for_ms": 500},
    {"hang_store_ms": 8000},
    {"lose_quorum": "n1", "for_ms": 600},
    {"lose_quorum": "all", "for_ms": 700},
    {"change_membership": true, "for_ms": 800, "applied_percent": 50},
    {"cut_store": "n2", "for_ms": 900, "heal": "rolled_back"},
    {"remove_lock": "drover-vm-100"},
    {"fail_writes": "n1", "count": 3},
    {"fail_marks": "n1"},
    {"refuse_receive": "n2", "count": 2},
    {"lose_acknowledgement": 102},
    {"cut_streams": "n1"},
    {"when": {"event": "view_changed", "owner": "n2"}, "stall_streams": "n1", "for_ms": 1000},
    {"clock_jump": "n1", "by_ms": -2500}
  ],
  "random": {"faults": {"kill_agent": 20, "cut_link": 30, "lag": 0}, "every_ms": 200,
             "until_ms": 30000, "evacuations": 2, "policies": ["ticket", "claim"],
             "clocks": true},
  "expect": {"exit_code": [0, 2], "pause_p50_ms_max": 20, "pause_p99_ms_max": 40.5,
    "pause_max_ms": 100, "races_min": 1, "golden": true, "moved": 3, "pauses_unknown": 1,
    "policies": {"check": {"stuck": 2, "races": 2, "exit_code": 6, "moved": 1},
                 "early": {"violations": 1}}}
})";

/// What is drawn from the seed, shape and all.
inline const std::string drawn_whole = R"({
  "why": "Shows that a seed may draw the whole cluster.",
  "cluster": {},
  "random": {"faults": "all", "evacuations": 1, "nodes": {"least": 3, "most": 10},
             "vms": {"least": 1, "most": 40}, "memory": ["2M", "64M"], "policies": "safe"},
  "expect": {"exit_code": [0, 2]}
})";

/// What can be played with fewer VMs.
inline const std::string growing = R"({
  "why": "Shows that a scenario may be played with its first VMs alone.",
  "compare_vms": 4,
  "cluster": {"nodes": {"n1": {"memory": "1G"}, "n2": {"memory": "1G"}, "n3": {"memory": "1G"},
                        "n4": {"memory": "1G"}, "n5": {"memory": "1G"}}},
  "vms": [{"first": 100, "count": 3, "node": "n1"}, {"first": 110, "count": 3, "node": "n2"},
          {"first": 120, "count": 4, "node": "n3"}],
  "actions": [{"evacuate": "n1", "to": ["n4"]}, {"evacuate": "n3", "to": ["n5"]}],
  "expect": {"exit_code": 0, "moved": 10, "vms_on": {"n5": 4}}
})";

/// A controller that is killed, and what comes after it.
inline const std::string mortal = R"({
  "why": "Shows that a controller may be killed at an event, and agents with it.",
  "cluster": {"nodes": {"n1": {"memory": "1G"}, "n2": {"memory": "1G"}}},
  "vms": [{"count": 2, "node": "n1"}],
  "actions": [
    {"evacuate": "n1", "killed_at": {"event": "phase_changed", "to": "streaming", "count": 2},
     "killed_agents": ["n1", "n2"]},
    {"when": {"event": "scenario_acted", "action": "controller_killed"}, "recover": true},
    {"when": {"event": "scenario_acted", "action": "recovered"}, "evacuate": "n1",
     "killed_at": {"event": "any", "count": {"least": 3, "most": 9}}}
  ]
})";

inline result<scenario_file> parse(const std::string& text) {
  return parse_scenario_file(text, "scenarios/x.json");
}

} // namespace drover::testing
