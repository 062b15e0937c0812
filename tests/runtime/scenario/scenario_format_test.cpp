#include "runtime/scenario/scenario_file.hpp"

#include "runtime/scenario/scenario_paths.hpp"
#include "tests/runtime/scenario/scenario_samples.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

template <class Action>
const Action& action_at(const scenario_file& s, std::size_t index) {
  return std::get<Action>(s.actions.at(index).what);
}

scenario_file good(const std::string& text) {
  auto file = parse(text);
  if (!file)
    FAIL(to_string(file.error()));
  return std::move(*file);
}

} // namespace

TEST_CASE("a controller that is killed is read, for both worlds") {
  const auto s = good(mortal);
  CHECK(s.worlds == std::set{world_kind::local, world_kind::sim});
  CHECK(has_mortal_controllers(s));
  CHECK_FALSE(has_mortal_controllers(good(whole)));
  const auto& first = action_at<action::evacuate>(s, 0);
  REQUIRE(first.killed_at);
  CHECK(first.killed_at->event == "phase_changed");
  CHECK(first.killed_at->count == 2);
  CHECK(first.killed_agents == std::set{node_id{"n1"}, node_id{"n2"}});
  CHECK(std::holds_alternative<action::recover>(s.actions.at(1).what));
  const auto& drawn_one = action_at<action::evacuate>(s, 2);
  luck chance{7};
  std::set<std::uint32_t> counts;
  for (int i = 0; i < 200; ++i)
    counts.insert(drawn(*drawn_one.killed_at, chance).count);
  CHECK(counts == std::set<std::uint32_t>{3, 4, 5, 6, 7, 8, 9});
  CHECK(fits(*drawn_one.killed_at, {wall_time{}, scenario_acted{"cancel", ""}}));
}

TEST_CASE("what a controller is told to die at reads as it was written") {
  const auto s = good(mortal);
  for (const std::size_t at : {0U, 2U}) {
    const auto& one = *action_at<action::evacuate>(s, at).killed_at;
    const auto document = wire::parse_json(to_json(one).dump());
    REQUIRE(document);
    wire::object_reader from(*document, "");
    const auto again = read_event_condition(from);
    REQUIRE(from.finish());
    CHECK(again.event == one.event);
    CHECK(again.fields == one.fields);
    CHECK(again.count == one.count);
    CHECK(again.count_most == one.count_most);
  }
}

TEST_CASE("a simulated cluster is read with store, links and streams") {
  const auto s = good(stormy);
  CHECK(s.repeat_until_settled);
  CHECK(s.worlds == std::set{world_kind::sim});
  CHECK(s.store.lagging);
  CHECK(s.store.lag == delay_range{1ms, 5ms, 1000, 2s});
  CHECK(s.store.write == exactly(3ms));
  CHECK(s.store.lock_expiry == 60s);
  CHECK(s.lag_of(node_id{"n1"}) == exactly(2s));
  CHECK(s.lag_of(node_id{"n2"}) == s.store.lag);
  CHECK(s.latency_of(node_id{"n1"}) == exactly(5ms));
  CHECK(s.latency_of(node_id{"n2"}) == exactly(200us));
  CHECK(s.stream_bandwidth_mb == 250);
  CHECK(s.nodes.at(node_id{"n1"}).clock.shows == host_clock{});
  const auto& clock = s.nodes.at(node_id{"n2"}).clock;
  CHECK(clock.shows == host_clock{3600s, -1500ms, -40});
  CHECK(clock.heard_after == 2ms);
}

TEST_CASE("a group of VMs is known by its load and its lines in the config") {
  const auto s = good(stormy);
  CHECK(s.vms[0].dirty_bytes_per_s() == 100 * 50 * 4096);
  CHECK(s.vms[0].working_set_bytes() == 4096 * 4096);
  CHECK(s.vms[0].memory_bytes() == beacon_memory_kib(s.vms[0].settings) * 1024);
  CHECK(config_lines(s.vms[0]) == "onboot: 1\ntags: db;eu-1\n");
  CHECK(config_lines(good(whole).vms[0]) == "migrate_speed: 7\nmigrate_downtime: 0.04\n");
}

TEST_CASE("every fault that can be written is read with its figures") {
  const auto s = good(stormy);
  const node_id n1{"n1"};
  const node_id n2{"n2"};
  CHECK(std::holds_alternative<action::restart_controller>(s.actions.at(1).what));
  CHECK(action_at<action::kill_source_qemu>(s, 2).vm == vm_id{100});
  CHECK(action_at<action::kill_node>(s, 3).node == n1);
  CHECK(action_at<action::boot_node>(s, 4).node == n1);
  CHECK(action_at<action::slow_node>(s, 5).times == 10);
  CHECK(action_at<action::slow_node>(s, 5).span == 0ms);
  CHECK(action_at<action::cut_link>(s, 6).span == 100ms);
  CHECK(action_at<action::half_open_link>(s, 7).span == 200ms);
  CHECK(action_at<action::slow_link>(s, 8).latency == exactly(50ms));
  CHECK(action_at<action::slow_link>(s, 8).span == 300ms);
  CHECK(action_at<action::duplicate_lines>(s, 9).node == n2);
  CHECK(action_at<action::lag>(s, 10).delay == exactly(3s));
  CHECK(action_at<action::lag>(s, 10).span == 500ms);
  CHECK(action_at<action::hang_store>(s, 11).span == 8s);
  CHECK(action_at<action::lose_quorum>(s, 12).node == n1);
  CHECK_FALSE(action_at<action::lose_quorum>(s, 13).node.has_value());
  CHECK(action_at<action::change_membership>(s, 14).applied_percent == 50);
  CHECK(action_at<action::cut_store>(s, 15).heal == action::store_heal::rolled_back);
  CHECK(action_at<action::remove_lock>(s, 16).lock == "drover-vm-100");
  CHECK(action_at<action::fail_writes>(s, 17).count == 3);
  CHECK(action_at<action::fail_marks>(s, 18).count == 1);
  CHECK(action_at<action::refuse_receive>(s, 19).count == 2);
  CHECK(action_at<action::lose_acknowledgement>(s, 20).vm == vm_id{102});
  CHECK(action_at<action::cut_streams>(s, 21).node == n1);
  CHECK(action_at<action::stall_streams>(s, 22).span == 1s);
  CHECK(s.actions.at(22).when->event == "view_changed");
  CHECK(action_at<action::clock_jump>(s, 23).node == n1);
  CHECK(action_at<action::clock_jump>(s, 23).by == -2500ms);
}

TEST_CASE("what a seed draws is read, and a drawn cluster needs nothing written") {
  const auto s = good(stormy);
  REQUIRE(s.random.has_value());
  CHECK(
    s.random->faults ==
    std::map<fault_kind, std::uint32_t>{{fault_kind::kill_agent, 20}, {fault_kind::cut_link, 30}});
  CHECK(s.random->every == 200ms);
  CHECK(s.random->until == 30s);
  CHECK(s.random->evacuations == 2);
  CHECK(s.random->policies == std::vector{policy::ticket, policy::claim});
  CHECK(s.random->clocks);
  CHECK_FALSE(s.random->nodes.has_value());
  const auto d = good(drawn_whole);
  CHECK(d.nodes.empty());
  CHECK(d.vms.empty());
  CHECK_FALSE(d.random->clocks);
  CHECK(d.random->faults.size() == all_fault_kinds().size());
  CHECK(d.random->nodes == count_range{3, 10});
  CHECK(d.random->vms == count_range{1, 40});
  CHECK(d.random->memory_bytes == std::vector<std::uint64_t>{2ULL << 20U, 64ULL << 20U});
  CHECK(d.random->policies == std::vector{policy::lock, policy::claim, policy::ticket});
}

TEST_CASE("a fault that is drawn has the word of the action that does it") {
  for (const auto kind : all_fault_kinds())
    CHECK(fault_kind_from_string(to_string(kind)) == kind);
  CHECK_FALSE(fault_kind_from_string("evacuate").has_value());
}

TEST_CASE("a policy has the scenario's expectations but for what it says of its own") {
  const auto s = good(stormy);
  const auto& all = s.expect_for(std::nullopt);
  CHECK(all.pause_p50_ms_max == 20);
  CHECK(all.pause_p99_ms_max == 40.5);
  CHECK(all.pause_max_ms == 100);
  CHECK(all.pauses_unknown == 1U);
  CHECK(all.races_min == 1U);
  CHECK(all.stuck == 0);
  CHECK(all.violations == 0);
  CHECK(all.golden);
  CHECK(&s.expect_for(policy::ticket) == &s.expect);
  const auto& check = s.expect_for(policy::check);
  CHECK(check.stuck == 2);
  CHECK(check.races == 2U);
  CHECK_FALSE(check.races_min.has_value());
  CHECK(check.exit_codes == std::set{6});
  CHECK(check.moved == 1U);
  CHECK(check.pause_max_ms == 100);
  CHECK(check.golden);
  CHECK(s.expect_for(policy::early).violations == 1);
  CHECK(s.expect_for(policy::early).exit_codes == std::set{0, 2});
}

TEST_CASE("a scenario with another policy has it in every command, with its expectations") {
  const auto s = with_policy(good(stormy), policy::check);
  CHECK(only_policy(s) == policy::check);
  CHECK(s.expect.stuck == 2);
  CHECK(s.random->policies == std::vector{policy::check});
  CHECK_FALSE(only_policy(good(whole)).has_value());
}

TEST_CASE("a comparison's lag is every node's") {
  const auto s = with_lag(good(stormy), 100ms);
  CHECK(s.lag_of(node_id{"n1"}) == exactly(100ms));
  CHECK(s.lag_of(node_id{"n2"}) == exactly(100ms));
}

TEST_CASE("what only the simulated world can do is refused elsewhere, with the field") {
  CHECK(objection_to(good(whole), world_kind::local).empty());
  CHECK(objection_to(good(whole), world_kind::sim).empty());
  CHECK(objection_to(good(drawn_whole), world_kind::sim).empty());
  CHECK(
    objection_to(good(drawn_whole), world_kind::local) ==
    "scenarios/x.json: /random: only the simulated world can do this");
  auto text = whole;
  text.replace(text.find("\"kill_agent\": \"n1\""), 18, "\"kill_node\": \"n1\"");
  CHECK(
    objection_to(good(text), world_kind::local) ==
    "scenarios/x.json: /actions/3/kill_node: only the simulated world can do this");
  auto only_local = whole;
  only_local.insert(1, "\"worlds\": [\"local\"], ");
  CHECK(
    objection_to(good(only_local), world_kind::sim) ==
    "scenarios/x.json: /worlds: it is not meant to be played in the sim world");
}

TEST_CASE("a folder stands for every scenario in it, by name") {
  std::string name = "/tmp/drover-folder-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  const std::filesystem::path folder{name};
  CHECK(
    scenario_paths(folder).error().what ==
    folder.string() + ": there is no scenario (*.json) in this folder");
  for (const auto* file : {"b.json", "a.json", "a.check.trace"})
    std::ofstream{folder / file} << "{}";
  CHECK(scenario_paths(folder) == std::vector{folder / "a.json", folder / "b.json"});
  CHECK(scenario_paths(folder / "a.json") == std::vector{folder / "a.json"});
  std::filesystem::remove_all(folder);
}
