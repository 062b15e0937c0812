// A real Prometheus watches the demo: its histogram is the run's result, every rule evaluates, and
// every panel of the dashboards has something to show.
#include "metrics/grafana/dashboard.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/http_get.hpp"
#include "tests/system/prometheus_server.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <map>
#include <set>

using namespace drover;
using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// Panels that have nothing to show after a run in which nothing went wrong.
const std::map<std::string, std::string> empty_after_demo{
  {"drover-controller: Failed requests", "no request failed"},
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// What Grafana would ask at the run's end, with one minute on the screen.
std::string asked_by_grafana(const dashboard& d, const std::string& expression) {
  const auto node = d.nodes == node_choice::one ? "n1" : ".*";
  return replaced(replaced(expression, "$__rate_interval", "1m"), "$node", node);
}

/// The demo, watched from its first moment to after its last.
struct watched_demo {
  watched_demo() {
    REQUIRE(controller.wait_until(
      [](const auto& seen) { return seen.err.find("metrics stay at") != std::string::npos; },
      240s));
    controller.wait_until(
      [this](const auto& seen) {
        result = json::parse(seen.out, nullptr, false);
        return result.is_object();
      },
      10s);
    REQUIRE(result.is_object());
    REQUIRE(result.at("verdict") == "passed");
  }
  ~watched_demo() {
    controller.signal(SIGINT);
    controller.finish(20s);
  }

  double sum_of(const char* figure) const {
    double sum = 0;
    for (const auto& m : result.at("migrations"))
      sum += m.at(figure).get<double>();
    return sum;
  }

  temporary_directory room;
  std::uint16_t port = free_port();
  // First, because it looks for its targets only every five seconds.
  prometheus_server prometheus{room.path(), port};
  running_program controller{
    {DROVER_PROGRAM, "run", DROVER_SCENARIOS "/local/demo.json", "-o", "json", "--metrics",
     "127.0.0.1:" + std::to_string(port), "--metrics-linger", "10m"}};
  json result;
};

void check_histogram(const watched_demo& demo) {
  const auto moved = demo.result.at("moved").get<double>();
  REQUIRE(moved == 24);
  const std::map<std::string, const char*> segments{
    {"total", "pause_s"}, {"blackout", "blackout_s"}, {"handover", "handover_s"}};
  for (const auto& [segment, figure] : segments) {
    const auto labels = R"({policy="ticket",segment=")" + segment + R"("})";
    INFO(segment);
    CHECK(demo.prometheus.wait_for("drover_migration_pause_seconds_count" + labels, moved, 20s));
    const auto sum = demo.prometheus.number("drover_migration_pause_seconds_sum" + labels);
    REQUIRE(sum);
    CHECK(*sum == Approx(demo.sum_of(figure)).epsilon(1e-9));
  }
  CHECK(demo.prometheus.number(R"(sum(drover_migrations_total{result="moved"}))") == moved);
}

void check_rules(const watched_demo& demo) {
  std::set<std::string> wrong;
  std::size_t rules = 0;
  std::size_t alerts = 0;
  // A look at the permits that is a second old may still show some after the last migration.
  CHECK(demo.prometheus.wait_for("count(ALERTS) or vector(0)", 0, 20s));
  const auto known = demo.prometheus.ask("rules");
  for (const auto& group : known.at("groups"))
    for (const auto& rule : group.at("rules")) {
      ++(rule.at("type") == "alerting" ? alerts : rules);
      if (rule.at("health") != "ok")
        wrong.insert(rule.at("name").get<std::string>() + ": " + rule.value("lastError", ""));
      if (rule.at("type") == "alerting" && rule.at("state") != "inactive")
        wrong.insert(rule.at("name").get<std::string>() + " is " + rule.value("state", ""));
    }
  CHECK(wrong == std::set<std::string>{});
  CHECK(rules == 11);
  CHECK(alerts == 12);
  for (const auto* recorded :
       {"segment:drover_migration_pause_seconds:p99_15m", "result:drover_migrations:rate5m",
        "instance:drover_transferred_bytes:rate1m", "method:drover_command_seconds:p99_5m"})
    CHECK_FALSE(demo.prometheus.query(recorded).empty());
}

void check_panels(const watched_demo& demo) {
  std::set<std::string> empty;
  for (const auto& d : dashboards())
    for (const auto& panel : d.panels)
      for (const auto& query : panel.queries) {
        const auto answer = demo.prometheus.query(asked_by_grafana(d, query.expression));
        const auto is_number = [](const json& series) { return series.at("value").at(1) != "NaN"; };
        if (std::none_of(answer.begin(), answer.end(), is_number))
          empty.insert(d.uid + ": " + panel.title);
      }
  std::set<std::string> expected;
  for (const auto& [panel, reason] : empty_after_demo)
    expected.insert(panel);
  CHECK(empty == expected);
  CHECK(expected.size() <= 5);
}

} // namespace

TEST_CASE("what Prometheus has seen of the demo is its result", "[system]") {
  const watched_demo demo;
  check_histogram(demo);
  check_rules(demo);
  check_panels(demo);
  const auto nodes = demo.prometheus.ask("label/node/values");
  CHECK(std::find(nodes.begin(), nodes.end(), "n1") != nodes.end());
  CHECK(demo.prometheus.number("drover_evacuation_state{node=\"n1\",state=\"all_moved\"}") == 1);
}
