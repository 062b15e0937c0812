// The rules over the tree as it is. A failure lists every finding as file:line, rule and remedy.
#include "tests/tidy/tree.hpp"

#include "tests/tidy/bans.hpp"
#include "tests/tidy/commands.hpp"
#include "tests/tidy/layers.hpp"
#include "tests/tidy/rooms.hpp"
#include "tests/tidy/sizes.hpp"
#include "tests/tidy/source_text.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <iostream>
#include <regex>
#include <set>
#include <string>

using namespace drover::tidy;

namespace {

const std::string root = DROVER_SOURCE;

const std::vector<source_file>& tree() {
  static const auto files = load_tree(root);
  return files;
}

/// Printed past Catch, which would break the lines and with them file:line.
void expect_none(const findings& found) {
  for (const auto& one : found)
    std::cout << one << '\n';
  std::cout.flush();
  if (!found.empty())
    FAIL_CHECK(found.size() << " findings, printed above");
}

template <class Rule>
void judge_tree(Rule rule) {
  findings all;
  for (const auto& file : tree())
    append(all, rule(file));
  expect_none(all);
}

std::vector<readme_command> all_commands() {
  std::vector<readme_command> all;
  for (const auto& file : tree())
    if (has_suffix(file.path, "README.md"))
      for (auto& command : commands_of(file))
        all.push_back(std::move(command));
  return all;
}

} // namespace

TEST_CASE("the tree is there", "[tidy]") { REQUIRE(tree().size() > 20); }

TEST_CASE("includes keep to the layers", "[tidy]") { judge_tree(check_layers); }

TEST_CASE("files and lines keep to their sizes", "[tidy]") { judge_tree(check_lines); }

TEST_CASE("functions keep to their size", "[tidy]") { judge_tree(check_functions); }

TEST_CASE("nothing banned is called, and no allowance is stale", "[tidy]") {
  std::set<std::string> used;
  judge_tree([&used](const source_file& file) { return check_bans(file, used); });
  expect_none(check_allowances(used));
}

TEST_CASE("no mark of unfinished work is left", "[tidy]") { judge_tree(check_marks); }

TEST_CASE("headers open with what they are", "[tidy]") { judge_tree(check_header); }

TEST_CASE("every folder with code has a readme", "[tidy]") { expect_none(check_readmes(tree())); }

TEST_CASE("every scenario says why it exists", "[tidy]") { judge_tree(check_scenario); }

TEST_CASE("every path in a readme's command exists", "[tidy]") {
  std::set<std::string> paths;
  for (const auto& file : tree())
    paths.insert(file.path);
  for (const auto& command : all_commands())
    expect_none(check_paths(command, paths));
}

#ifdef DROVER_BINARY
TEST_CASE("every drover command in a readme exists", "[tidy]") {
  if (!std::filesystem::exists(DROVER_BINARY))
    FAIL("drover is not built, so the commands of the readmes cannot be compared with its help: "
         "build the target drover");
  const auto help = [](const std::vector<std::string>& chain) -> std::optional<std::string> {
    std::string command = DROVER_BINARY;
    for (const auto& word : chain)
      command += " " + word;
    const auto asked = run_command(command + " --help");
    return asked.exit_code == 0 ? std::optional{asked.output} : std::nullopt;
  };
  for (const auto& command : all_commands())
    expect_none(check_drover(command, help));
}
#endif

TEST_CASE("C++ files are formatted", "[tidy]") {
  if (run_command("clang-format --version").exit_code != 0)
    FAIL("clang-format is missing; tests/run.sh installs it");
  std::string command = "clang-format --dry-run -Werror --ferror-limit=1";
  for (const auto& file : tree())
    if (is_cpp(file.path))
      command += " '" + root + "/" + file.path + "'";
  const auto checked = run_command(command);
  static const std::regex place{R"(^(.*?):(\d+):\d+: error: code should be clang-formatted)"};
  findings all;
  for (const auto& line : lines_of(checked.output)) {
    std::smatch match;
    if (!std::regex_search(line, match, place))
      continue;
    const auto path = std::filesystem::relative(match[1].str(), root).generic_string();
    if (all.empty() || all.back().path != path)
      all.push_back({path, std::stoul(match[2]), "format", "run: clang-format -i " + path});
  }
  expect_none(all);
  INFO(checked.output);
  CHECK((checked.exit_code == 0) == all.empty());
}
