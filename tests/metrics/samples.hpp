// Sample events: one short evacuation as the trace tells it. Rule: together they touch every series
// of the catalogue, which catalogue_test.cpp checks.
#pragma once

#include "runtime/base/trace.hpp"

#include <vector>

namespace drover::samples {

template <class Body>
trace_event at(std::int64_t time_us, Body body) {
  return {wall_time{std::chrono::microseconds{time_us}}, std::move(body)};
}

inline stream_moved moved_so_far(std::uint64_t transferred_bytes, std::uint64_t remaining_bytes) {
  return {vm_id{101}, epoch{1}, transferred_bytes, remaining_bytes, 1000, 1};
}

inline migration_ended ended(std::uint32_t vm, const char* result) {
  migration_ended e;
  e.vm = vm_id{vm};
  e.number = epoch{1};
  e.source = node_id{"a"};
  e.target = node_id{"b"};
  e.result = result;
  return e;
}

/// VM 101 moves from a to b: a pause of 30 ms, 1500 bytes on the wire for 1000 bytes of memory.
inline migration_ended ended_well() {
  auto e = ended(101, "moved");
  e.pause_s = 0.030;
  e.blackout_s = 0.025;
  e.handover_s = 0.005;
  e.total_s = 12;
  e.bytes = 1500;
  e.budget_s = 0.300;
  return e;
}

inline migration_planned planned(std::uint32_t vm) {
  return {vm_id{vm}, node_id{"a"}, node_id{"b"}, policy::ticket, 1000};
}

inline pause_mark marked(const char* mark, std::int64_t time_us) {
  return {vm_id{101}, epoch{1}, node_id{"b"}, mark, wall_time{std::chrono::microseconds{time_us}}};
}

/// Node a owns 101 and 102; both are to go, 101 has gone, 102 has not begun.
inline std::vector<trace_event> evacuation() {
  return {
    at(0, link_changed{node_id{"a"}, "up", ""}),
    at(0, link_changed{node_id{"b"}, "up", ""}),
    at(1, node_listed{node_id{"a"}, 2}),
    at(1, node_listed{node_id{"b"}, 0}),
    at(2, evacuation_started{node_id{"a"}, 2, 3000}),
    at(2, planned(101)),
    at(2, planned(102)),
    at(5, permits_granted{vm_id{101}, "prepare", 0.25}),
    at(6, phase_changed{vm_id{101}, epoch{1}, "waiting", "receiving"}),
    at(
      7,
      store_operation{
        node_id{"a"}, "write_record", vm_id{101}, wall_time{std::chrono::microseconds{1000}},
        wall_time{std::chrono::microseconds{3500}}, true}),
    at(8, barrier_passed{vm_id{101}, epoch{1}, node_id{"b"}, 4000}),
    at(9, retried{node_id{"b"}, "receive", "no answer", "step_failed"}),
    at(10, permits_granted{vm_id{101}, "stream", 2.5}),
    at(11, phase_changed{vm_id{101}, epoch{1}, "receiving", "streaming"}),
    at(12, moved_so_far(400, 600)),
    at(13, moved_so_far(900, 300)),
    at(13, marked("resumed", 30'000)),
    at(13, marked("claimed", 32'000)),
    at(13, node_answered{node_id{"b"}, "take_over", "ok", 3000}),
    at(13, node_answered{node_id{"b"}, "await_claim", "conflict", 2000}),
    at(13, permits_counted{"cluster", node_id{""}, 2, 32, 1}),
    at(13, actors_sampled{"lock_manager", 400, 50}),
    at(14, ended_well()),
    at(15, phase_changed{vm_id{101}, epoch{1}, "cleaning", "ended"})};
}

} // namespace drover::samples
