// The model speaks the code's words: its phases and policies are those of the machine, the commands
// on its wire are the machine's steps, and the README's tables name all of them.
#include "actors/handover/handover.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/ticket.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace drover {
namespace {

using names = std::vector<std::string>;

std::string text_of(const std::string& file) {
  std::ifstream in{std::string{DROVER_MODEL_FOLDER} + "/" + file};
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

names words_in(const std::string& text) {
  static const std::regex word{"[a-z_]+"};
  names all;
  for (std::sregex_iterator one{text.begin(), text.end(), word}, end; one != end; ++one)
    all.push_back(one->str());
  return all;
}

/// The names of `mtype:KIND = { ... }` in the model.
names model_names(const std::string& kind) {
  const auto world = text_of("world.pml");
  std::smatch found;
  REQUIRE(std::regex_search(world, found, std::regex{"mtype:" + kind + R"( = \{([^}]*)\})"}));
  return words_in(found[1].str());
}

/// The first column of the README's table under that heading, without its head.
names readme_column(const std::string& heading) {
  std::istringstream lines{text_of("README.md")};
  std::string line;
  while (std::getline(lines, line) && line != "## " + heading)
    continue;
  names all;
  static const std::regex cell{R"(^\| `([a-z_]+)` \|.*)"};
  while (std::getline(lines, line) && line.rfind("## ", 0) != 0) {
    std::smatch found;
    if (std::regex_match(line, found, cell))
      all.push_back(found[1].str());
  }
  return all;
}

names phases_of_the_machine() {
  names all;
  for (auto i = 0; i <= static_cast<int>(phase::ended); ++i)
    all.emplace_back(to_string(static_cast<phase>(i)));
  return all;
}

names policies_of_the_code() {
  names all;
  for (const auto p : all_policies)
    all.emplace_back(to_string(p));
  return all;
}

/// What `#define m_NAME NUMBER` puts on the model's wire.
std::set<std::string> model_commands() {
  const auto world = text_of("world.pml");
  static const std::regex define{"#define m_([a-z_]+) [0-9]+"};
  std::set<std::string> all;
  for (std::sregex_iterator one{world.begin(), world.end(), define}, end; one != end; ++one)
    all.insert((*one)[1].str());
  all.erase("none");
  return all;
}

} // namespace

TEST_CASE("the model's phases are the machine's, one for one and in order", "[model]") {
  const auto phases = phases_of_the_machine();
  REQUIRE(std::set<std::string>(phases.begin(), phases.end()).size() == phases.size());
  CHECK(model_names("phase") == phases);
  CHECK(readme_column("Phases") == phases);
}

TEST_CASE("a phase that the model names is one that its controller enters", "[model]") {
  const auto controller = text_of("controller.pml");
  for (const auto& name : phases_of_the_machine())
    CHECK(std::regex_search(controller, std::regex{"\\b" + name + "\\b"}));
}

TEST_CASE("the model's policies are the code's, and each has a verdict", "[model]") {
  const auto policies = policies_of_the_code();
  CHECK(model_names("policy") == policies);
  CHECK(readme_column("Policies") == policies);
  const auto verdicts = text_of("verdicts.txt");
  for (const auto& name : policies)
    CHECK(std::regex_search(
      verdicts, std::regex{"(^|\n)" + name + " +usual +rest +holds +[1-9][0-9]{4,}(\n|$)"}));
}

TEST_CASE("the README tells what every command of the model stands for", "[model]") {
  const auto told = readme_column("Commands");
  CHECK(std::set<std::string>(told.begin(), told.end()) == model_commands());
}

TEST_CASE("the model knows every outcome that a record can tell", "[model]") {
  const auto world = text_of("world.pml");
  std::size_t known = 0;
  for (auto i = 0; i <= static_cast<int>(source_outcome::voided); ++i) {
    const std::string name{to_string(static_cast<source_outcome>(i))};
    std::string upper;
    std::transform(name.begin(), name.end(), std::back_inserter(upper), [](unsigned char c) {
      return static_cast<char>(std::toupper(c));
    });
    CAPTURE(name);
    CHECK(world.find("#define " + upper + " " + std::to_string(i) + "\n") != std::string::npos);
    ++known;
  }
  CHECK(known == 4);
}

TEST_CASE("every mistake that the model can be given has a verdict", "[model]") {
  static const std::regex mutant{"MUTANT_([A-Z_]+)"};
  const auto verdicts = text_of("verdicts.txt");
  std::set<std::string> given;
  for (const auto* file : {"agent.pml", "orphan.pml", "work.pml", "controller.pml"}) {
    const auto text = text_of(file);
    for (std::sregex_iterator one{text.begin(), text.end(), mutant}, end; one != end; ++one)
      given.insert((*one)[1].str());
  }
  CHECK(given.size() >= 8);
  for (const auto& name : given) {
    CAPTURE(name);
    CHECK(std::regex_search(verdicts, std::regex{" " + name + " +[a-z_]+ +violated +-(\n|$)"}));
  }
}

} // namespace drover
