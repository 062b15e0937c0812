// Somebody takes the lock of the evacuated node away: the one who held it enters no other pause.
#include "runtime/sim/sim_player.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

using namespace drover;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// Twelve VMs leave one after the other, for more than a minute.
json slow_evacuation() {
  return json::parse(R"({
    "why": "A node is evacuated slowly, and its lock is taken by another controller meanwhile.",
    "worlds": ["sim"],
    "cluster": {"nodes": {"n1": {"memory": "8G"}, "n2": {"memory": "8G"}},
                "stream": {"bandwidth_mb": 10}, "limits": {"streams": 1}},
    "vms": [{"first": 100, "count": 12, "node": "n1", "memory": "64M"}],
    "actions": [{"evacuate": "n1", "at_ms": 500}],
    "expect": {"exit_code": [0, 2, 4]}})");
}

/// When the lock was told to be lost, and which VMs were begun or stopped after that.
class loss_watch final : public trace_sink {
public:
  void take(const trace_event& event) override {
    if (const auto* r = std::get_if<remark>(&event.body);
        r != nullptr && r->text.find(" is lost: ") != std::string::npos)
      lost_at = lost_at.value_or(event.at);
    if (!lost_at)
      return;
    if (const auto* p = std::get_if<phase_changed>(&event.body);
        p != nullptr && (p->to == "beginning" || p->to == "streaming"))
      entered.insert(p->vm);
    // A stream that is told to stop may be at its switchover just then: the word takes its way.
    if (const auto* m = std::get_if<machine_changed>(&event.body);
        m != nullptr && m->state == "stopped" && event.at - *lost_at > 1s)
      stopped.insert(m->vm);
  }
  std::optional<wall_time> lost_at;
  std::set<vm_id> entered;
  std::set<vm_id> stopped;
};

struct ending {
  sim_outcome out;
  std::shared_ptr<loss_watch> watch = std::make_shared<loss_watch>();
  std::uint32_t moved = 0;
};

ending played(const json& scenario, std::uint64_t seed) {
  const auto file = parse_scenario_file(scenario.dump(), "node_lock.json");
  if (!file)
    FAIL(to_string(file.error()));
  ending e;
  sim_play_settings how;
  how.seed = seed;
  how.trace = e.watch;
  e.out = play_in_sim(*file, how);
  e.moved = e.out.played.result.moved;
  for (const auto& wrong : e.out.wrong)
    UNSCOPED_INFO(wrong);
  CHECK(e.out.violations.empty());
  return e;
}

} // namespace

TEST_CASE("a controller whose lock was taken enters no other pause", "[sim]") {
  auto scenario = slow_evacuation();
  scenario["actions"].push_back(
    {{"at_ms", 20'000}, {"remove_lock", "drover-cordon-n1"}, {"taken_by", "root@other:7"}});
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    const auto e = played(scenario, seed);
    REQUIRE(e.watch->lost_at);
    CHECK(e.watch->entered.empty());
    CHECK(e.watch->stopped.empty());
    CHECK(e.moved > 0);
    CHECK(e.moved < 12);
    const auto& all = e.out.played.result.migrations;
    const auto told = std::count_if(all.begin(), all.end(), [](const auto& m) {
      return m.end == verdict::stayed && m.reason.find("root@other:7") != std::string::npos;
    });
    CHECK(e.moved + static_cast<std::uint32_t>(told) == 12);
  }
}

TEST_CASE("a lock that was only removed is taken again, and everything moves", "[sim]") {
  auto scenario = slow_evacuation();
  CHECK(played(scenario, 1).moved == 12);
  scenario["actions"].push_back({{"at_ms", 20'000}, {"remove_lock", "drover-cordon-n1"}});
  const auto e = played(scenario, 1);
  CHECK_FALSE(e.watch->lost_at);
  CHECK(e.moved == 12);
}
