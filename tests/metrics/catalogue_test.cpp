#include "metrics/catalogue.hpp"

#include "actors/handover/handover.hpp"
#include "metrics/recorder.hpp"
#include "tests/metrics/promtool.hpp"
#include "tests/metrics/samples.hpp"

#include <catch2/catch.hpp>
#include <prometheus/registry.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace drover;
using namespace drover::testing;

namespace {

/// The row of `of` in the table of metrics/README.md.
std::string readme_row(const series& of) {
  std::string labels;
  for (const auto& label : of.labels)
    labels += (labels.empty() ? "`" : ", `") + std::string{label} + "`";
  std::ostringstream row;
  row << "| `" << of.name << "` | " << to_string(of.kind) << " | "
      << (labels.empty() ? "-" : labels) << " | " << of.unit << " | " << of.help << " |";
  return row.str();
}

std::set<std::string> readme_rows() {
  std::ifstream file{std::string{DROVER_SOURCE} + "/metrics/README.md"};
  std::set<std::string> rows;
  for (std::string line; std::getline(file, line);)
    if (line.rfind("| `drover_", 0) == 0)
      rows.insert(line);
  return rows;
}

/// The queries of the README's promql block, one a line.
std::vector<std::string> readme_queries() {
  std::ifstream file{std::string{DROVER_SOURCE} + "/metrics/README.md"};
  std::vector<std::string> queries;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("```", 0) == 0)
      inside = line == "```promql";
    else if (inside && line.rfind("#", 0) != 0)
      queries.push_back(line);
  }
  return queries;
}

std::string exposed_by_samples() {
  auto registry = std::make_shared<prometheus::Registry>();
  metrics_recorder recorder{registry, wall_time{}};
  for (const auto& event : samples::evacuation())
    recorder.take(event);
  return exposition(*registry);
}

/// Names and kinds as the exposition's TYPE lines tell them.
std::set<std::string> exposed_types(const std::string& text) {
  std::istringstream lines{text};
  std::set<std::string> types;
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("# TYPE ", 0) == 0)
      types.insert(line.substr(7));
  return types;
}

} // namespace

TEST_CASE("the table in metrics/README.md is the catalogue", "[metrics]") {
  std::set<std::string> expected;
  for (const auto& of : catalogue())
    expected.insert(readme_row(of));
  const auto written = readme_rows();
  for (const auto& row : expected)
    if (!written.count(row))
      FAIL_CHECK("metrics/README.md lacks this row:\n" << row);
  for (const auto& row : written)
    if (!expected.count(row))
      FAIL_CHECK("metrics/README.md has a row that is not in metrics/catalogue.cpp:\n" << row);
}

TEST_CASE("the sample events fill every series of the catalogue and no other", "[metrics]") {
  std::set<std::string> expected;
  for (const auto& of : catalogue())
    expected.insert(std::string{of.name} + " " + std::string{to_string(of.kind)});
  CHECK(exposed_types(exposed_by_samples()) == expected);
}

TEST_CASE("names, labels and buckets follow the rules of the catalogue", "[metrics]") {
  const std::set<std::string_view> bounded{
    "result", "policy", "phase", "segment", "set",   "node",  "method",  "operation", "version",
    "source", "target", "end",   "scope",   "state", "cause", "outcome", "actor"};
  std::set<std::string_view> names;
  for (const auto& of : catalogue()) {
    INFO(of.name);
    CHECK(of.name.substr(0, 7) == "drover_");
    CHECK(names.insert(of.name).second);
    CHECK_FALSE(of.help.empty());
    CHECK(of.help.back() == '.');
    const bool ends_total = of.name.size() > 6 && of.name.substr(of.name.size() - 6) == "_total";
    CHECK(ends_total == (of.kind == series_kind::counter));
    CHECK((of.kind == series_kind::histogram) == !of.buckets.empty());
    CHECK(std::is_sorted(of.buckets.begin(), of.buckets.end()));
    CHECK(std::adjacent_find(of.buckets.begin(), of.buckets.end()) == of.buckets.end());
    for (const auto& label : of.labels)
      CHECK(bounded.count(label) == 1);
    for (const auto& values : of.initial)
      CHECK(values.size() == of.labels.size());
  }
}

TEST_CASE("the phases of the catalogue are those of a migration", "[metrics]") {
  std::vector<std::vector<std::string>> phases;
  for (auto p = phase::waiting; p != phase::ended; p = static_cast<phase>(static_cast<int>(p) + 1))
    phases.push_back({std::string{to_string(p)}});
  CHECK(describe(series_id::migrations_in_flight).initial == phases);
  CHECK(describe(series_id::migration_phase_seconds).initial == phases);
}

TEST_CASE("a pause has a bucket wherever people argue about one", "[metrics]") {
  const std::vector<double> milliseconds{1,   2,   5,   10,  20,  30,  40,   50,   75,    100,
                                         150, 200, 300, 500, 750, 900, 2000, 5000, 10000, 30000};
  const auto& buckets = describe(series_id::migration_pause_seconds).buckets;
  REQUIRE(buckets.size() == milliseconds.size());
  for (std::size_t i = 0; i < buckets.size(); ++i)
    CHECK(buckets[i] == Approx(milliseconds[i] / 1000));
}

TEST_CASE("promtool finds no fault with what is exposed", "[metrics]") {
  if (run("command -v promtool").exit_code != 0)
    FAIL("promtool is missing: it comes with Debian's package prometheus, which tests/run.sh "
         "installs");
  const auto text = exposed_by_samples();
  REQUIRE(text.size() > 1000); // promtool accepts an empty page
  const temporary_file page{text};
  const auto checked = run("timeout 30 promtool check metrics < " + page.path());
  INFO(checked.output);
  CHECK(checked.exit_code == 0);
}

TEST_CASE("promtool would find a counter without its suffix", "[metrics]") {
  const temporary_file page{"# HELP drover_x X.\n# TYPE drover_x counter\ndrover_x 1\n"};
  CHECK(run("timeout 30 promtool check metrics < " + page.path()).exit_code != 0);
}

TEST_CASE("the readme's queries are valid and ask for series that exist", "[metrics]") {
  const auto queries = readme_queries();
  REQUIRE(queries.size() >= 3);
  const auto page = exposed_by_samples();
  std::string rules = "groups:\n- name: readme\n  rules:\n";
  for (const auto& query : queries) {
    INFO(query);
    rules += "  - record: readme:query\n    expr: '" + query + "'\n    labels: {number: '" +
             std::to_string(rules.size()) + "'}\n";
    const auto begin = query.find("drover_");
    REQUIRE(begin != std::string::npos);
    const auto end = query.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", begin);
    CHECK(page.find("\n" + query.substr(begin, end - begin)) != std::string::npos);
  }
  const temporary_file file{rules};
  const auto checked = run("timeout 30 promtool check rules " + file.path());
  INFO(checked.output);
  CHECK(checked.exit_code == 0);
}
