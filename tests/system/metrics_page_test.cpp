// What Prometheus would scrape while an evacuation runs.
#include "tests/support/http_get.hpp"
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <csignal>

using namespace drover::testing;
using namespace std::chrono_literals;

TEST_CASE("the metrics page shows an evacuation while it runs", "[system]") {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < 6; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  vms.push_back({150, "n1", 8192, 100, 8});
  lab l{vms};
  l.start_all();
  running_program controller{l.command({"evacuate", "n1", "--metrics", "127.0.0.1:0"})};
  const std::string mark = "metrics at http://127.0.0.1:";
  REQUIRE(controller.wait_until(
    [&](const auto& seen) { return seen.err.find("moved, pause") != std::string::npos; }, 60s));
  std::string port_text;
  controller.wait_until(
    [&](const auto& seen) {
      const auto at = seen.err.find(mark);
      port_text = at == std::string::npos ? "" : seen.err.substr(at + mark.size(), 5);
      return !port_text.empty();
    },
    5s);
  REQUIRE_FALSE(port_text.empty());
  const auto page = http_get(static_cast<std::uint16_t>(std::stoi(port_text)), "/metrics").body;
  INFO(page);
  for (const auto* series :
       {"drover_migrations_total{", "result=\"moved\"", "policy=\"ticket\"",
        "drover_migrations_in_flight{", "drover_migration_pause_seconds_bucket{",
        "segment=\"blackout\"", "segment=\"handover\"", "segment=\"total\"",
        "drover_permit_wait_seconds", "drover_node_vms{", "drover_evacuation_remaining_bytes{",
        "drover_build_info{"})
    CHECK(page.find(series) != std::string::npos);
  controller.signal(SIGINT); // The last VM writes faster than its stream may carry.
  const auto ended = controller.finish(60s);
  INFO(ended.err);
  CHECK(ended.exit_code == 4);
}
