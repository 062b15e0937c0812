// The dashboards: committed as generated, complete, and over series that exist. Whether their
// queries return data is asked in tests/system, whether Grafana knows the types in tests/web.
#include "metrics/catalogue.hpp"
#include "metrics/grafana/dashboard.hpp"
#include "tests/metrics/promtool.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

using namespace drover;
using namespace drover::testing;
using nlohmann::json;

namespace {

const std::string folder = std::string{DROVER_SOURCE} + "/metrics/grafana/";

std::vector<json> committed() {
  std::vector<json> all;
  for (const auto& d : dashboards())
    all.push_back(json::parse(content_of(folder + d.uid + ".json")));
  return all;
}

std::vector<std::string> expressions_of(const json& board) {
  std::vector<std::string> all;
  for (const auto& panel : board.at("panels"))
    for (const auto& target : panel.at("targets"))
      all.push_back(target.at("expr"));
  for (const auto& annotation : board.at("annotations").at("list"))
    all.push_back(annotation.at("target").at("expr"));
  return all;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

struct place {
  int x = 0, y = 0, w = 0, h = 0;
};

bool overlap(const place& a, const place& b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

} // namespace

TEST_CASE("the committed dashboards are the generated ones", "[metrics]") {
  std::set<std::string> expected;
  for (const auto& d : dashboards()) {
    INFO(d.uid << ".json is written by build/metrics/grafana/drover_dashboards metrics/grafana");
    CHECK((content_of(folder + d.uid + ".json") == to_grafana(d).dump(2) + "\n"));
    expected.insert(d.uid + ".json");
  }
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator{folder})
    if (entry.path().extension() == ".json")
      found.insert(entry.path().filename());
  CHECK(found == expected);
}

TEST_CASE("the dashboards' uids stay as they are, because bookmarks hold them", "[metrics]") {
  std::set<std::string> uids;
  for (const auto& board : committed())
    uids.insert(board.at("uid").get<std::string>());
  CHECK(
    uids == std::set<std::string>{
              "drover-overview", "drover-pause", "drover-evacuation", "drover-controller",
              "drover-policies"});
}

TEST_CASE("every panel says what it shows, in which unit, and from which source", "[metrics]") {
  for (const auto& board : committed())
    for (const auto& panel : board.at("panels")) {
      INFO(board.at("uid") << ": " << panel.at("title"));
      const std::string description = panel.at("description");
      CHECK(description.size() > 20);
      CHECK(description.back() == '.');
      CHECK_FALSE(panel.at("fieldConfig").at("defaults").at("unit").get<std::string>().empty());
      CHECK(panel.at("datasource").at("uid") == "${datasource}");
      CHECK_FALSE(panel.at("targets").empty());
      std::set<std::string> references;
      for (const auto& target : panel.at("targets")) {
        CHECK(target.at("datasource").at("uid") == "${datasource}");
        CHECK_FALSE(target.at("legendFormat").get<std::string>().empty());
        CHECK(references.insert(target.at("refId").get<std::string>()).second);
      }
    }
}

TEST_CASE("no two panels stand on the same place or have the same number", "[metrics]") {
  for (const auto& board : committed()) {
    std::set<int> numbers;
    std::vector<place> taken;
    for (const auto& panel : board.at("panels")) {
      INFO(board.at("uid") << ": " << panel.at("title"));
      CHECK(numbers.insert(panel.at("id").get<int>()).second);
      const auto& at = panel.at("gridPos");
      const place here{at.at("x"), at.at("y"), at.at("w"), at.at("h")};
      CHECK(here.x + here.w <= 24);
      for (const auto& other : taken)
        CHECK_FALSE(overlap(here, other));
      taken.push_back(here);
    }
  }
}

TEST_CASE("each dashboard chooses its source and its nodes at the top", "[metrics]") {
  for (const auto& board : committed()) {
    std::set<std::string> names;
    for (const auto& variable : board.at("templating").at("list"))
      names.insert(variable.at("name").get<std::string>());
    CHECK(names == std::set<std::string>{"datasource", "node"});
  }
}

TEST_CASE(
  "every query takes the rate's window from Grafana and is about known series", "[metrics]") {
  std::set<std::string> known;
  for (const auto& of : catalogue())
    for (const auto* suffix : {"", "_bucket", "_sum", "_count"})
      if (of.kind == series_kind::histogram || *suffix == '\0')
        known.insert(std::string{of.name} + suffix);
  const std::regex series{"drover_\\w+"};
  const std::regex window{"(?:rate|increase|irate)\\([^()]*\\[([^\\]]+)\\]"};
  for (const auto& board : committed())
    for (const auto& text : expressions_of(board)) {
      INFO(text);
      std::size_t names = 0;
      for (std::sregex_iterator at{text.begin(), text.end(), series}, end; at != end; ++at, ++names)
        CHECK(known.contains(at->str()));
      CHECK(names > 0);
      for (std::sregex_iterator at{text.begin(), text.end(), window}, end; at != end; ++at)
        CHECK((*at)[1] == "$__rate_interval");
    }
}

TEST_CASE("promtool takes every query of the dashboards", "[metrics]") {
  std::string rules = "groups:\n- name: dashboards\n  rules:\n";
  std::size_t number = 0;
  for (const auto& board : committed())
    for (const auto& text : expressions_of(board)) {
      const auto plain = replaced(replaced(text, "$__rate_interval", "1m"), "$node", "n1");
      rules += "  - record: dashboards:query\n    expr: |\n      " + plain +
               "\n    labels: {number: \"" + std::to_string(++number) + "\"}\n";
    }
  REQUIRE(number > 50);
  const temporary_file file{rules};
  const auto checked = run("timeout 60 promtool check rules " + file.path());
  INFO(checked.output);
  CHECK(checked.exit_code == 0);
}
