#include "metrics/recorder.hpp"

#include "metrics/catalogue.hpp"
#include "tests/metrics/samples.hpp"

#include <catch2/catch.hpp>
#include <prometheus/registry.h>

#include <cmath>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace drover;

namespace {

/// A recorder and what its registry would show.
struct rig {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  metrics_recorder recorder{registry, wall_time{std::chrono::seconds{1000}}};

  void feed(const std::vector<trace_event>& events) {
    for (const auto& event : events)
      recorder.take(event);
  }

  template <class Body>
  void feed(Body body) {
    recorder.take(samples::at(0, std::move(body)));
  }

  /// The value of the line that begins with `series`, or -1 where there is none.
  double value(const std::string& series) const {
    std::istringstream lines{exposition(*registry)};
    for (std::string line; std::getline(lines, line);)
      if (line.rfind(series + " ", 0) == 0)
        return std::stod(line.substr(series.size() + 1));
    return -1;
  }
};

} // namespace

TEST_CASE("an evacuation on its way shows in every series", "[metrics]") {
  rig r;
  r.feed(samples::evacuation());
  const std::vector<std::pair<std::string, double>> expected{
    {R"(drover_migrations_total{policy="ticket",result="moved",source="a",target="b"})", 1},
    {R"(drover_migrations_total{policy="ticket",result="stayed",source="a",target="b"})", 0},
    {R"(drover_migrations_in_flight{phase="waiting"})", 1},
    {R"(drover_migrations_in_flight{phase="streaming"})", 0},
    {R"(drover_migrations_in_flight{phase="receiving"})", 0},
    {R"(drover_migration_pause_seconds_count{policy="ticket",segment="total"})", 1},
    {R"(drover_migration_pause_seconds_bucket{policy="ticket",segment="total",le="0.02"})", 0},
    {R"(drover_migration_pause_seconds_bucket{policy="ticket",segment="total",le="0.03"})", 1},
    {R"(drover_migration_pause_seconds_bucket{policy="ticket",segment="blackout",le="0.03"})", 1},
    {R"(drover_migration_pause_seconds_bucket{policy="ticket",segment="handover",le="0.005"})", 1},
    {R"(drover_permit_wait_seconds_sum{set="prepare"})", 0.25},
    {R"(drover_permit_wait_seconds_sum{set="stream"})", 2.5},
    {R"(drover_lock_wait_seconds_sum)", 0.25},
    {R"(drover_lock_wait_seconds_count)", 1},
    {R"(drover_node_vms{node="a"})", 1},
    {R"(drover_node_vms{node="b"})", 1},
    {R"(drover_evacuation_remaining_vms{node="a"})", 1},
    {R"(drover_evacuation_remaining_bytes{node="a"})", 2000},
    {R"(drover_transferred_bytes_total)", 1500},
    {R"(drover_retries_total{cause="step_failed",method="receive"})", 1},
    {R"(drover_migration_phase_seconds_count{phase="waiting"})", 1},
    {R"(drover_migration_phase_seconds_sum{phase="receiving"})", 5e-6},
    {R"(drover_migration_seconds_sum{result="moved"})", 12},
    {R"(drover_claim_latency_seconds_sum)", 0.002},
    {R"(drover_races_total{end="averted",policy="ticket"})", 1},
    {R"(drover_races_total{end="refused",policy="check"})", 0},
    {R"(drover_pause_budget_exceeded_total{policy="ticket"})", 0},
    {R"(drover_vms_needing_operator)", 0},
    {R"(drover_evacuation_state{node="a",state="running"})", 1},
    {R"(drover_evacuation_state{node="a",state="all_moved"})", 0},
    {R"(drover_evacuation_eta_seconds{node="a"})", 24e-6},
    {R"(drover_command_seconds_sum{method="take_over"})", 0.003},
    {R"(drover_command_failures_total{method="await_claim",outcome="conflict"})", 1},
    {R"(drover_ownership_conflicts_total{node="b"})", 1},
    {R"(drover_ownership_conflicts_total{node="a"})", 0},
    {R"(drover_link_losses_total{node="a"})", 0},
    {R"(drover_store_operation_failures_total{node="a"})", 0},
    {R"(drover_permits_used{node="",scope="cluster"})", 2},
    {R"(drover_permits_limit{node="",scope="cluster"})", 32},
    {R"(drover_permits_waiting{node="",scope="cluster"})", 1},
    {R"(drover_mailbox_wait_seconds_sum{actor="lock_manager"})", 50e-6},
    {R"(drover_timer_lateness_seconds_sum)", 400e-6},
    {R"(drover_start_timestamp_seconds)", 1000},
    {R"(drover_link_state{node="a",state="up"})", 1},
    {R"(drover_store_operations_total{node="a",operation="write_record"})", 1},
    {R"(drover_store_operation_seconds_sum{operation="write_record"})", 0.0025},
    {R"(drover_store_barrier_wait_seconds_sum)", 0.004},
    {R"(drover_build_info{version=")" DROVER_VERSION R"("})", 1},
  };
  for (const auto& [series, value] : expected) {
    INFO(series);
    CHECK(r.value(series) == Approx(value));
  }
}

TEST_CASE("remaining bytes go down with the stream and never up again", "[metrics]") {
  rig r;
  const std::string left = R"(drover_evacuation_remaining_bytes{node="a"})";
  r.feed(evacuation_started{node_id{"a"}, 1, 1000});
  r.feed(samples::planned(101));
  CHECK(r.value(left) == 1000);
  r.feed(samples::moved_so_far(400, 600));
  CHECK(r.value(left) == 600);
  r.feed(samples::moved_so_far(800, 900));
  CHECK(r.value(left) == 600);
  r.feed(samples::ended(101, "moved"));
  CHECK(r.value(left) == 0);
}

TEST_CASE("a VM larger than the evacuation announced leaves zero, not a huge number", "[metrics]") {
  rig r;
  r.feed(evacuation_started{node_id{"a"}, 1, 10});
  r.feed(samples::planned(101));
  r.feed(samples::moved_so_far(5000, 0));
  CHECK(r.value(R"(drover_evacuation_remaining_bytes{node="a"})") == 0);
  r.feed(samples::ended(101, "moved"));
  r.feed(samples::ended(102, "moved"));
  CHECK(r.value(R"(drover_evacuation_remaining_vms{node="a"})") == 0);
}

TEST_CASE("with two evacuations bytes are counted off at the right source", "[metrics]") {
  rig r;
  r.feed(evacuation_started{node_id{"a"}, 1, 1000});
  r.feed(evacuation_started{node_id{"c"}, 1, 1000});
  r.feed(samples::planned(101));
  r.feed(samples::moved_so_far(400, 600));
  CHECK(r.value(R"(drover_evacuation_remaining_bytes{node="a"})") == 600);
  r.feed(samples::ended(101, "moved"));
  CHECK(r.value(R"(drover_evacuation_remaining_bytes{node="a"})") == 0);
  CHECK(r.value(R"(drover_evacuation_remaining_bytes{node="c"})") == 1000);
}

TEST_CASE("a VM that stays is counted as such and stays where it was", "[metrics]") {
  rig r;
  r.feed(node_listed{node_id{"a"}, 1});
  r.feed(evacuation_started{node_id{"a"}, 1, 1000});
  r.feed(samples::ended(101, "stayed"));
  CHECK(
    r.value(R"(drover_migrations_total{policy="ticket",result="stayed",source="a",target="b"})") ==
    1);
  CHECK(r.value(R"(drover_node_vms{node="a"})") == 1);
  CHECK(r.value(R"(drover_evacuation_remaining_vms{node="a"})") == 0);
  CHECK(r.value(R"(drover_migration_pause_seconds_count{policy="ticket",segment="total"})") == 0);
}

TEST_CASE("an evacuation that ended leaves nothing remaining", "[metrics]") {
  rig r;
  r.feed(evacuation_started{node_id{"a"}, 7, 1000});
  r.feed(evacuation_ended{node_id{"a"}, "cancelled", 0, 7});
  CHECK(r.value(R"(drover_evacuation_remaining_vms{node="a"})") == 0);
  CHECK(r.value(R"(drover_evacuation_remaining_bytes{node="a"})") == 0);
}

TEST_CASE("a migration leaves no phase behind, whichever end is told first", "[metrics]") {
  const auto last_phase = phase_changed{vm_id{101}, epoch{1}, "cleaning", "ended"};
  for (const bool phase_first : {true, false}) {
    rig r;
    r.feed(phase_changed{vm_id{101}, epoch{1}, "", "cleaning"});
    if (phase_first)
      r.feed(last_phase);
    r.feed(samples::ended(101, "moved"));
    if (!phase_first)
      r.feed(last_phase);
    CHECK(r.value(R"(drover_migrations_in_flight{phase="cleaning"})") == 0);
    CHECK(r.value(R"(drover_migrations_in_flight{phase="ended"})") == -1);
  }
}

TEST_CASE("a second stream of the same VM adds its bytes to those of the first", "[metrics]") {
  rig r;
  r.feed(samples::moved_so_far(900, 100));
  r.feed(samples::moved_so_far(50, 950));
  CHECK(r.value("drover_transferred_bytes_total") == 950);
}

TEST_CASE("a pause longer than the VM's budget is counted, one of the budget is not", "[metrics]") {
  rig r;
  const std::string exceeded = R"(drover_pause_budget_exceeded_total{policy="ticket"})";
  auto e = samples::ended_well();
  e.pause_s = e.budget_s;
  r.feed(e);
  CHECK(r.value(exceeded) == 0);
  e.pause_s = *e.budget_s + 0.001;
  r.feed(e);
  CHECK(r.value(exceeded) == 1);
  e.budget_s = std::nullopt;
  r.feed(e);
  CHECK(r.value(exceeded) == 1);
}

TEST_CASE("a VM needs an operator until it has moved or stayed", "[metrics]") {
  rig r;
  r.feed(samples::ended(101, "needs_operator"));
  r.feed(samples::ended(101, "needs_operator"));
  r.feed(samples::ended(102, "needs_operator"));
  CHECK(r.value("drover_vms_needing_operator") == 2);
  r.feed(samples::ended(101, "moved"));
  CHECK(r.value("drover_vms_needing_operator") == 1);
}

TEST_CASE("a race counts as averted only where a look would have refused", "[metrics]") {
  rig r;
  const std::string averted = R"(drover_races_total{end="averted",policy="ticket"})";
  r.feed(samples::planned(101));
  r.feed(samples::marked("resumed", 500));
  r.feed(samples::marked("claimed", 400)); // The config was there before the resume.
  CHECK(r.value(averted) == 0);
  CHECK(r.value("drover_claim_latency_seconds_sum") == 0);
  r.feed(samples::marked("claimed", 600));
  CHECK(r.value(averted) == 1);
  r.feed(race_met{vm_id{101}, epoch{1}, node_id{"b"}, policy::check, "refused"});
  CHECK(r.value(R"(drover_races_total{end="refused",policy="check"})") == 1);
}

TEST_CASE("an evacuation that moved everything tells when", "[metrics]") {
  rig r;
  const std::string last = R"(drover_evacuation_last_success_timestamp_seconds{node="a"})";
  r.feed(evacuation_started{node_id{"a"}, 1, 1000});
  CHECK(r.value(last) == 0);
  CHECK(std::isnan(r.value(R"(drover_evacuation_eta_seconds{node="a"})")));
  r.recorder.take(samples::at(7'000'000, evacuation_ended{node_id{"a"}, "some_stayed", 0, 1}));
  CHECK(r.value(last) == 0);
  r.recorder.take(samples::at(9'000'000, evacuation_ended{node_id{"a"}, "all_moved", 1, 0}));
  CHECK(r.value(last) == 9);
  CHECK(r.value(R"(drover_evacuation_state{node="a",state="some_stayed"})") == 0);
  CHECK(r.value(R"(drover_evacuation_state{node="a",state="all_moved"})") == 1);
  CHECK(r.value(R"(drover_evacuation_eta_seconds{node="a"})") == 0);
}

TEST_CASE("what an alert asks for exists with zero before anything happened", "[metrics]") {
  rig r;
  CHECK(r.value("drover_vms_needing_operator") == 0);
  r.feed(link_changed{node_id{"a"}, "up", ""});
  CHECK(r.value(R"(drover_ownership_conflicts_total{node="a"})") == 0);
  CHECK(r.value(R"(drover_link_losses_total{node="a"})") == 0);
  r.feed(samples::planned(101));
  for (const auto* result : {"moved", "stayed", "needs_operator"})
    CHECK(
      r.value(
        R"(drover_migrations_total{policy="ticket",result=")" + std::string{result} +
        R"(",source="a",target="b"})") == 0);
}

TEST_CASE("only a link that was up can be lost", "[metrics]") {
  rig r;
  const std::string losses = R"(drover_link_losses_total{node="a"})";
  r.feed(link_changed{node_id{"a"}, "down", "no agent"});
  CHECK(r.value(losses) == 0);
  r.feed(link_changed{node_id{"a"}, "up", ""});
  r.feed(link_changed{node_id{"a"}, "down", "peer closed"});
  r.feed(link_changed{node_id{"a"}, "down", "still closed"});
  CHECK(r.value(losses) == 1);
}

TEST_CASE("a link is in one state at a time, and one that drover closed is not down", "[metrics]") {
  rig r;
  const auto states = [&r] {
    std::string present;
    for (const auto* state : {"up", "down", "left"})
      if (r.value(R"(drover_link_state{node="a",state=")" + std::string{state} + "\"}") == 1)
        present += state;
    return present;
  };
  r.feed(link_changed{node_id{"a"}, "up", ""});
  CHECK(states() == "up");
  r.feed(link_changed{node_id{"a"}, "down", "peer closed"});
  CHECK(states() == "down");
  r.feed(link_changed{node_id{"a"}, "up", ""});
  r.feed(link_changed{node_id{"a"}, "left", "the link of a was closed"});
  CHECK(states() == "left");
  CHECK(r.value(R"(drover_link_losses_total{node="a"})") == 1);
}

TEST_CASE("no event is lost when several threads report at once", "[metrics]") {
  rig r;
  constexpr int each = 2000;
  std::vector<std::jthread> reporters;
  for (int thread = 0; thread < 4; ++thread)
    reporters.emplace_back([&r] {
      for (int i = 0; i < each; ++i)
        r.feed(retried{node_id{"a"}, "hello", "", "link_lost"});
    });
  reporters.clear();
  CHECK(r.value(R"(drover_retries_total{cause="link_lost",method="hello"})") == 4 * each);
}

TEST_CASE("no series carries a VM's number", "[metrics]") {
  rig r;
  r.feed(samples::evacuation());
  CHECK(exposition(*r.registry).find("101") == std::string::npos);
}
