// The rules, alerts and example configuration of metrics/prometheus, checked by Prometheus' own
// tool and against the catalogue.
#include "metrics/catalogue.hpp"
#include "tests/metrics/promtool.hpp"

#include <catch2/catch.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

using namespace drover;
using namespace drover::testing;

namespace {

const std::string mixin = std::string{DROVER_SOURCE} + "/metrics/prometheus/";

/// All that the first group of `pattern` matches.
std::vector<std::string> found_in(const std::string& text, const std::string& pattern) {
  std::vector<std::string> found;
  const std::regex shape{pattern};
  for (std::sregex_iterator at{text.begin(), text.end(), shape}, end; at != end; ++at)
    found.push_back((*at)[1].str());
  return found;
}

} // namespace

TEST_CASE("promtool accepts the rules, the alerts and the example configuration", "[metrics]") {
  for (const auto* what : {"check rules rules.yml alerts.yml", "check config prometheus.yml"}) {
    const auto checked = run("cd " + mixin + " && timeout 60 promtool " + what);
    INFO(checked.output);
    CHECK(checked.exit_code == 0);
  }
}

TEST_CASE("every alert fires when it should and is silent when it should be", "[metrics]") {
  const auto tested = run("cd " + mixin + " && timeout 120 promtool test rules alerts_test.yml");
  INFO(tested.output);
  CHECK(tested.exit_code == 0);
}

TEST_CASE("every alert is complete: severity, texts, runbook and both test cases", "[metrics]") {
  const auto alerts = content_of(mixin + "alerts.yml");
  const auto cases = content_of(mixin + "alerts_test.yml");
  const auto runbook = content_of(mixin + "README.md");
  const auto names = found_in(alerts, "- alert: (\\w+)");
  REQUIRE(names.size() >= 10);
  for (const auto& name : names) {
    INFO(name);
    const auto begin = alerts.find("- alert: " + name + "\n");
    const auto text = alerts.substr(begin, alerts.find("- alert: ", begin + 1) - begin);
    CHECK(found_in(text, "severity: (critical|warning)\n").size() == 1);
    CHECK(found_in(text, "summary: (.+)\n").size() == 1);
    CHECK(found_in(text, "description: (.+)\n").size() == 1);
    std::string anchor = name;
    for (auto& c : anchor)
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    CHECK(text.find("runbook: metrics/prometheus/README.md#" + anchor + "\n") != std::string::npos);
    CHECK(runbook.find("\n### " + name + "\n") != std::string::npos);
    CHECK(cases.find("alertname: " + name + "\n        exp_alerts: []\n") != std::string::npos);
    CHECK(
      cases.find("alertname: " + name + "\n        exp_alerts:\n          - exp_labels") !=
      std::string::npos);
  }
  CHECK(found_in(runbook, "\n### (Drover\\w+)\n").size() == names.size());
}

TEST_CASE("rules and alerts ask for series that exist", "[metrics]") {
  std::set<std::string> known;
  for (const auto& of : catalogue()) {
    known.insert(std::string{of.name});
    if (of.kind == series_kind::histogram)
      for (const auto* suffix : {"_bucket", "_sum", "_count"})
        known.insert(std::string{of.name} + suffix);
  }
  const auto rules = content_of(mixin + "rules.yml");
  const auto alerts = content_of(mixin + "alerts.yml");
  const auto recorded = found_in(rules, "record: (\\S+)");
  for (const auto& line : found_in(rules + alerts, "((?:expr:|\\(|or |and ).*)\n"))
    for (const auto& name : found_in(line, "((?:\\w+:)*drover_\\w+(?::\\w+)*)")) {
      INFO(line);
      const bool is_recorded = std::find(recorded.begin(), recorded.end(), name) != recorded.end();
      CHECK((is_recorded || known.contains(name)));
    }
  CHECK(recorded.size() >= 8);
}
