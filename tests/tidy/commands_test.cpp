#include "tests/tidy/commands.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace drover::tidy;

namespace {

const std::string root_help = "drover: moves VMs\n"
                              "Usage: drover [OPTIONS] SUBCOMMAND\n\n"
                              "Options:\n"
                              "  -h,--help                   Print this help message and exit\n"
                              "  --cluster TEXT:FILE         The cluster file\n"
                              "  -o,--output TEXT:{table,json}\n"
                              "                              How to print\n\n"
                              "Subcommands:\n"
                              "  status                      What is where\n"
                              "  vm                          One VM\n";

std::optional<std::string> help(const std::vector<std::string>& chain) {
  if (chain.empty())
    return root_help;
  if (chain == std::vector<std::string>{"vm"})
    return "Options:\n  -h,--help  Print\n\nSubcommands:\n  start  Start\n";
  return "Positionals:\n  vmid UINT ... REQUIRED\n\nOptions:\n  -h,--help  Print\n  --keep  Keep\n";
}

/// The remedy for a line of a README, or "" where the line is right.
std::string judged(const std::string& line) {
  const auto commands = commands_of({"README.md", "```sh\n" + line + "\n```\n"});
  REQUIRE(commands.size() == 1);
  const auto found = check_drover(commands.front(), help);
  return found.empty() ? "" : found.front().remedy;
}

} // namespace

TEST_CASE("commands are read from shell blocks only", "[tidy]") {
  const auto commands = commands_of(
    {"README.md",
     "text\n```sh\n# a comment\n$ sudo drover status # why\na=1 tests/run.sh --quick | tail -n 1\n"
     "drover vm \\\n  start 'a b'\n```\n```text\ndrover nonsense\n```\ndrover prose\n"});
  REQUIRE(commands.size() == 4);
  CHECK(commands[0].words == std::vector<std::string>{"drover", "status"});
  CHECK(commands[0].line == 4);
  CHECK(commands[1].words == std::vector<std::string>{"tests/run.sh", "--quick"});
  CHECK(commands[2].words == std::vector<std::string>{"tail", "-n", "1"});
  CHECK(commands[3].words == std::vector<std::string>{"drover", "vm", "start", "a b"});
  CHECK(commands[3].line == 6);
}

TEST_CASE("a command that drover's help knows passes", "[tidy]") {
  CHECK(judged("drover --cluster c.json status") == "");
  CHECK(judged("build/runtime/bin/drover --cluster=c.json -o json status node1") == "");
  CHECK(judged("drover --cluster c.json vm start 101 102 --keep") == "");
  CHECK(judged("drover status -o json") == "");
}

TEST_CASE("a command that drover's help does not know is found", "[tidy]") {
  CHECK(judged("drover statsu") == "`drover` has no sub-command statsu");
  CHECK(judged("drover --clutser c.json status") == "`drover` has no flag --clutser");
  CHECK(judged("drover vm stop 101") == "`drover vm` has no sub-command stop");
  CHECK(judged("drover vm start --kep 1") == "`drover vm start` has no flag --kep");
}

TEST_CASE("a program that gives no help is found", "[tidy]") {
  const auto command = commands_of({"README.md", "```sh\ndrover status\n```\n"}).front();
  CHECK(check_drover(command, [](const auto&) { return std::nullopt; }).size() == 1);
}

TEST_CASE("a script or file that is not in the tree is found", "[tidy]") {
  const std::set<std::string> paths{"tests/run.sh", "scenarios/local/demo.json"};
  const auto found = [&](const std::string& line) {
    return check_paths(commands_of({"README.md", "```sh\n" + line + "\n```\n"}).front(), paths)
      .size();
  };
  CHECK(found("tests/run.sh") == 0);
  CHECK(found("./tests/run.sh") == 0);
  CHECK(found("tests/walk.sh") == 1);
  CHECK(found("drover run scenarios/local/demo.json") == 0);
  CHECK(found("drover run scenarios/local/demmo.json") == 1);
  CHECK(found("ls scenarios/") == 0);
  CHECK(found("drover --cluster /etc/drover/cluster.json status") == 0);
  CHECK(found("git clone https://example.org/drover") == 0);
}
