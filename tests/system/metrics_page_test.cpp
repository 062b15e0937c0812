// What Prometheus would scrape while an evacuation runs.
#include "tests/support/http_get.hpp"
#include "tests/support/page_follower.hpp"
#include "tests/system/lab.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <fstream>

using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* address_mark = "metrics at http://127.0.0.1:";

std::uint16_t port_in(const finished_program& seen) {
  const auto at = seen.err.find(address_mark);
  if (
    at == std::string::npos || seen.err.find('/', at + std::strlen(address_mark)) > seen.err.size())
    return 0;
  return static_cast<std::uint16_t>(std::stoi(seen.err.substr(at + std::strlen(address_mark), 5)));
}

} // namespace

TEST_CASE("a page that follows 500 simulated VMs is told little and all", "[system]") {
  const temporary_directory room;
  nlohmann::json nodes;
  for (const auto* node : {"n1", "n2", "n3", "n4"})
    nodes[node] = {{"memory", "16G"}};
  const auto scenario = (room.path() / "many.json").string();
  std::ofstream{scenario} << nlohmann::json{
    {"why", "Many VMs leave one node for three others."},
    {"deadline_s", 3600},
    {"cluster", {{"nodes", nodes}}},
    {"vms", {{{"first", 1000}, {"count", 500}, {"node", "n1"}, {"memory", "4M"}}}},
    {"actions", {{{"at_ms", 500}, {"evacuate", "n1"}}}},
    {"expect", {{"exit_code", 0}, {"moved", 500}}}};
  running_program run{
    {DROVER_PROGRAM, "run", scenario, "--world", "sim", "--metrics", "127.0.0.1:0",
     "--metrics-linger", "5m"}};
  REQUIRE(run.wait_until([](const auto& seen) { return port_in(seen) != 0; }, 30s));
  std::uint16_t port = 0;
  run.wait_until(
    [&port](const auto& seen) {
      port = port_in(seen);
      return true;
    },
    1s);
  page_follower page;
  page.follow(port, drover::monotonic_now() + 60s, 500);
  WARN(
    "500 VMs: " << page.updates << " updates in " << page.followed_s << " s, " << page.bytes / 1000
                << " kB; in the busiest second " << page.most_in_a_second / 1000 << " kB");
  CHECK(page.moved.size() == 500);
  CHECK(static_cast<double>(page.updates) <= 1 + 4 * page.followed_s);
  CHECK(page.most_in_a_second < 200'000);
  run.signal(SIGINT);
  const auto ended = run.finish(20s);
  INFO(ended.out << ended.err);
  CHECK_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 0);
}

TEST_CASE("the metrics page shows an evacuation while it runs", "[system]") {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < 6; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  vms.push_back({150, "n1", 8192, 100, 8});
  lab l{vms};
  l.start_all();
  running_program controller{l.command({"evacuate", "n1", "--metrics", "127.0.0.1:0"})};
  REQUIRE(controller.wait_until(
    [&](const auto& seen) { return seen.err.find("moved, pause") != std::string::npos; }, 60s));
  std::uint16_t port = 0;
  controller.wait_until(
    [&port](const auto& seen) {
      port = port_in(seen);
      return port != 0;
    },
    5s);
  REQUIRE(port != 0);
  const auto page = http_get(port, "/metrics").body;
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
