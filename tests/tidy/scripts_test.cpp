// The shell scripts: they parse, and what tests/run.sh counts is what the programs said.
#include "tests/tidy/source_text.hpp"
#include "tests/tidy/tree.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace drover::tidy;

namespace {

const std::string root = DROVER_SOURCE;

/// "PROGRAM PASSED FAILED" lines for one CTest report, given in single quotes to the shell.
std::string counted(const std::string& testcases) {
  const auto asked = run_command(
    "printf '%s' '<testsuite>\n" + testcases + "</testsuite>\n' | awk -f '" + root +
    "/tests/support/count_cases.awk'");
  CHECK(asked.exit_code == 0);
  return asked.output;
}

std::string testcase(
  const std::string& name, const std::string& status, const std::string& output) {
  return "\t<testcase name=\"" + name + "\" classname=\"" + name + "\" time=\"0.1\" status=\"" +
         status + "\">\n\t\t<system-out>" + output + "\n</system-out>\n\t</testcase>\n";
}

} // namespace

TEST_CASE("shell scripts parse", "[tidy]") {
  for (const auto& file : load_tree(root)) {
    if (!has_suffix(file.path, ".sh") && file.path != ".ci/run")
      continue;
    const auto checked = run_command("bash -n '" + root + "/" + file.path + "'");
    INFO(file.path << ": " << checked.output);
    CHECK(checked.exit_code == 0);
  }
}

TEST_CASE("test cases are counted as the programs said", "[tidy]") {
  const std::string all_passed = "All tests passed (9 assertions in 3 test cases)";
  const std::string some_failed =
    "test cases:  21 |  20 passed |  1 failed\nassertions: 9 | 9 passed";
  CHECK(counted(testcase("a", "run", all_passed)) == "a 3 0\n");
  CHECK(
    counted(testcase("a", "run", "All tests passed (1 assertion in 1 test case)")) == "a 1 0\n");
  CHECK(counted(testcase("a", "fail", some_failed)) == "a 20 1\n");
  CHECK(counted(testcase("a", "fail", "test cases: 2 | 2 failed")) == "a 0 2\n");
  CHECK(
    counted(testcase("a", "run", all_passed) + testcase("b", "fail", some_failed)) ==
    "a 3 0\nb 20 1\n");
}

TEST_CASE("a test program that ends without a count is one failure", "[tidy]") {
  CHECK(counted(testcase("a", "fail", "Segmentation fault")) == "a 0 1\n");
  CHECK(counted(testcase("a", "fail", "")) == "a 0 1\n");
  CHECK(
    counted(testcase("a", "fail", "All tests passed (9 assertions in 3 test cases)")) == "a 3 1\n");
}

TEST_CASE("a test of another kind is one case", "[tidy]") {
  CHECK(counted(testcase("a", "run", "ok")) == "a 1 0\n");
}
