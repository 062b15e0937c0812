#include "runtime/program/rest_of_run.hpp"

#include <catch2/catch.hpp>

using namespace drover;

namespace {

journal_vm row(std::uint32_t vm, const std::string& result = {}, const std::string& reason = {}) {
  journal_vm v;
  v.vm = vm_id{vm};
  v.source = node_id{"n1"};
  v.target = node_id{"n2"};
  v.phase = "begun";
  v.result = result;
  v.reason = reason;
  return v;
}

wire::vm_entry entry(std::uint32_t vm, record_state record = record_state::settled) {
  wire::vm_entry e;
  e.vm = vm_id{vm};
  e.config_here = true;
  e.state = wire::run_state::running;
  e.record = record;
  return e;
}

survey seen(const std::vector<wire::vm_entry>& on_n1, const std::vector<wire::vm_entry>& on_n2) {
  survey s;
  s.lists[node_id{"n1"}].vms = on_n1;
  s.lists[node_id{"n2"}].vms = on_n2;
  return s;
}

rest_of_run rest(std::vector<journal_vm> rows, const survey& s) {
  return rest_of(journal_run{}, std::move(rows), s);
}

} // namespace

TEST_CASE("what is on the source still is to move, to the same target", "[pure]") {
  const auto r = rest({row(100), row(101)}, seen({entry(100), entry(101)}, {}));
  CHECK(r.to_move == std::set<vm_id>{vm_id{100}, vm_id{101}});
  CHECK(r.targets.at(vm_id{100}) == node_id{"n2"});
  CHECK(r.earlier.moved == 0);
  CHECK(r.earlier.code == outcome_code::all_moved);
  CHECK(r.unsettled.empty());
}

TEST_CASE("a VM that has left the source was moved, whatever the journal knows", "[pure]") {
  auto known = row(100, "moved");
  known.pause_s = 0.002;
  const auto r = rest(
    {known, row(101), row(102, "needs_operator", "does not answer")},
    seen({}, {entry(100), entry(101), entry(102)}));
  CHECK(r.to_move.empty());
  CHECK(r.earlier.moved == 3);
  CHECK(r.earlier.code == outcome_code::all_moved);
  CHECK(r.earlier.pause->max == 0.002);
  for (const auto& vm : r.vms) {
    CHECK(vm.result == "moved");
    CHECK(vm.phase == "ended");
  }
}

TEST_CASE("what stayed before stays, with its reason and its exit code", "[pure]") {
  const auto all = seen({entry(100), entry(101), entry(102), entry(103)}, {});
  const auto stopped = rest({row(100, "left_out", "stopped")}, all);
  CHECK(stopped.earlier.code == outcome_code::all_moved);
  CHECK(stopped.to_move.empty());
  const auto blocked = rest({row(101, "left_out", "it has a disk of its own")}, all);
  CHECK(blocked.earlier.code == outcome_code::some_stayed);
  const auto failed = rest({row(102, "stayed", "did not converge")}, all);
  CHECK(failed.earlier.code == outcome_code::some_stayed);
  REQUIRE(failed.earlier.stayed.size() == 1);
  CHECK(failed.earlier.stayed.front().reason == "did not converge");
  const auto unknown = rest({row(103, "needs_operator", "paused on n1")}, all);
  CHECK(unknown.earlier.code == outcome_code::needs_operator);
}

TEST_CASE("a handover that is being brought to an end is waited for", "[pure]") {
  const auto at_source = rest({row(100)}, seen({entry(100, record_state::moving)}, {}));
  CHECK(at_source.unsettled == std::set<vm_id>{vm_id{100}});
  const auto at_target = rest({row(100)}, seen({}, {entry(100, record_state::moving)}));
  CHECK(at_target.unsettled == std::set<vm_id>{vm_id{100}});
  CHECK(at_target.earlier.moved == 0);
  auto copy = entry(100, record_state::moving);
  copy.config_here = false;
  const auto between = rest({row(100)}, seen({}, {copy}));
  CHECK(between.unsettled == std::set<vm_id>{vm_id{100}});
  CHECK(between.earlier.stayed.empty());
}

TEST_CASE("a VM that no node shows stays, and is told of", "[pure]") {
  const auto r = rest({row(100)}, seen({}, {}));
  CHECK(r.to_move.empty());
  CHECK(r.earlier.code == outcome_code::some_stayed);
  REQUIRE(r.earlier.stayed.size() == 1);
  CHECK(r.earlier.stayed.front().reason == "no node shows it any more");
}

TEST_CASE("every VM of the journal is in exactly one place of what is left", "[pure]") {
  const std::vector<std::string> results{"", "moved", "stayed", "left_out", "needs_operator"};
  for (const auto& result : results)
    for (const bool here : {false, true})
      for (const bool there : {false, true})
        for (const auto record : {record_state::settled, record_state::moving}) {
          INFO(result << " " << here << there << " " << static_cast<int>(record));
          std::vector<wire::vm_entry> n1;
          std::vector<wire::vm_entry> n2;
          if (here)
            n1.push_back(entry(100, record));
          if (there && !here)
            n2.push_back(entry(100, record));
          const auto r = rest({row(100, result, "why")}, seen(n1, n2));
          const auto in_earlier = r.earlier.moved + r.earlier.stayed.size();
          const bool waits = r.unsettled.contains(vm_id{100}) && !r.to_move.contains(vm_id{100});
          CHECK(r.to_move.size() + in_earlier <= 1);
          CHECK((r.to_move.size() + in_earlier == 1 || waits));
        }
}

TEST_CASE("what does not come to an end is not forgotten", "[pure]") {
  const auto s = seen({}, {entry(100, record_state::moving)});
  const auto r = without_unsettled(journal_run{}, rest({row(100)}, s), s);
  CHECK(r.earlier.code == outcome_code::needs_operator);
  REQUIRE(r.earlier.stayed.size() == 1);
  CHECK(r.earlier.stayed.front().reason.find("drover status") != std::string::npos);
  const auto at_source = seen({entry(100, record_state::moving)}, {});
  const auto planned = without_unsettled(journal_run{}, rest({row(100)}, at_source), at_source);
  CHECK(planned.to_move.contains(vm_id{100})); // The plan says why it cannot go.
}
