#include "runtime/scenario/scenario_file.hpp"

#include "tests/runtime/scenario/scenario_samples.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

using namespace drover;
using namespace drover::testing;

namespace {

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

TEST_CASE("a cut or altered scenario is an error or a scenario, never a crash") {
  for (const auto* sample : {&whole, &stormy, &drawn_whole}) {
    const auto& sound = *sample;
    for (std::size_t n = 0; n < sound.size(); ++n)
      CHECK_FALSE(parse(sound.substr(0, n)).has_value());
    for (std::size_t n = 0; n < sound.size(); ++n)
      for (const char c : {'"', '[', '9', '\0', '\xff'}) {
        auto text = sound;
        text[n] = c;
        const auto file = parse(text);
        CHECK((file.has_value() || file.error().code == errc::invalid));
      }
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
