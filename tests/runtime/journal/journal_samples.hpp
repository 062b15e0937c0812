// Runs and VMs for the journal's tests. Rule: plain values, the same in every test.
#pragma once

#include "runtime/journal/journal.hpp"

namespace drover::testing {

inline wall_time at_s(std::int64_t s) { return wall_time{std::chrono::seconds{s}}; }

inline journal_run some_run(std::int64_t begun_s = 1'795'423'006) {
  journal_run r;
  r.what = "evacuate";
  r.node = node_id{"n1"};
  r.cluster = "lab";
  r.cluster_file = "/tmp/lab.json";
  r.controller = "root@host:12";
  r.begun = at_s(begun_s);
  r.plan = R"({"steps": []})";
  r.settings = "{}";
  return r;
}

inline journal_vm some_vm(std::uint32_t number, std::uint32_t position = 0) {
  journal_vm v;
  v.vm = vm_id{number};
  v.position = position;
  v.name = "vm " + std::to_string(number);
  v.source = node_id{"n1"};
  v.target = node_id{"n2"};
  v.memory_bytes = std::uint64_t{1} << 40;
  v.phase = "planned";
  v.changed = at_s(5);
  return v;
}

} // namespace drover::testing
