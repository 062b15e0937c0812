#include "metrics/recorder.hpp"

#include "metrics/catalogue.hpp"
#include "tests/metrics/samples.hpp"

#include <catch2/catch.hpp>
#include <prometheus/registry.h>

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
  metrics_recorder recorder{registry};

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
    {R"(drover_migrations_total{policy="ticket",result="moved"})", 1},
    {R"(drover_migrations_total{policy="ticket",result="stayed"})", 0},
    {R"(drover_migrations_in_flight{phase="waiting"})", 1},
    {R"(drover_migrations_in_flight{phase="streaming"})", 0},
    {R"(drover_migrations_in_flight{phase="receiving"})", 0},
    {R"(drover_migration_pause_seconds_count{segment="total"})", 1},
    {R"(drover_migration_pause_seconds_bucket{segment="total",le="0.02"})", 0},
    {R"(drover_migration_pause_seconds_bucket{segment="total",le="0.03"})", 1},
    {R"(drover_migration_pause_seconds_bucket{segment="blackout",le="0.03"})", 1},
    {R"(drover_migration_pause_seconds_bucket{segment="handover",le="0.005"})", 1},
    {R"(drover_permit_wait_seconds_sum{set="prepare"})", 0.25},
    {R"(drover_permit_wait_seconds_sum{set="stream"})", 2.5},
    {R"(drover_lock_wait_seconds_sum)", 0.25},
    {R"(drover_lock_wait_seconds_count)", 1},
    {R"(drover_node_vms{node="a"})", 1},
    {R"(drover_node_vms{node="b"})", 1},
    {R"(drover_evacuation_remaining_vms{node="a"})", 1},
    {R"(drover_evacuation_remaining_bytes{node="a"})", 2000},
    {R"(drover_transferred_bytes_total)", 1500},
    {R"(drover_retries_total{method="receive"})", 1},
    {R"(drover_links_up{node="a"})", 1},
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
  r.feed(samples::moved_so_far(400, 600));
  r.feed(samples::ended(101, "moved"));
  CHECK(r.value(R"(drover_evacuation_remaining_bytes{node="a"})") == 0);
  CHECK(r.value(R"(drover_evacuation_remaining_bytes{node="c"})") == 1000);
}

TEST_CASE("a VM that stays is counted as such and stays where it was", "[metrics]") {
  rig r;
  r.feed(node_listed{node_id{"a"}, 1});
  r.feed(evacuation_started{node_id{"a"}, 1, 1000});
  r.feed(samples::ended(101, "stayed"));
  CHECK(r.value(R"(drover_migrations_total{policy="ticket",result="stayed"})") == 1);
  CHECK(r.value(R"(drover_node_vms{node="a"})") == 1);
  CHECK(r.value(R"(drover_evacuation_remaining_vms{node="a"})") == 0);
  CHECK(r.value(R"(drover_migration_pause_seconds_count{segment="total"})") == 0);
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

TEST_CASE("a link that is down shows as zero", "[metrics]") {
  rig r;
  r.feed(link_changed{node_id{"a"}, "up", ""});
  r.feed(link_changed{node_id{"a"}, "down", "peer closed"});
  CHECK(r.value(R"(drover_links_up{node="a"})") == 0);
}

TEST_CASE("no event is lost when several threads report at once", "[metrics]") {
  rig r;
  constexpr int each = 2000;
  std::vector<std::jthread> reporters;
  for (int thread = 0; thread < 4; ++thread)
    reporters.emplace_back([&r] {
      for (int i = 0; i < each; ++i)
        r.feed(retried{node_id{"a"}, "hello", ""});
    });
  reporters.clear();
  CHECK(r.value(R"(drover_retries_total{method="hello"})") == 4 * each);
}

TEST_CASE("no series carries a VM's number", "[metrics]") {
  rig r;
  r.feed(samples::evacuation());
  CHECK(exposition(*r.registry).find("101") == std::string::npos);
}
