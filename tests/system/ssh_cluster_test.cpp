// Nodes on other machines: hosts of a scenario's own, each behind a real sshd, and what an operator
// does before the first evacuation.
#include "runtime/store/etcd/etcd_file.hpp"
#include "tests/support/run_program.hpp"
#include "tests/system/ssh_lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

using namespace drover::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::vector<json> lines_of(const std::filesystem::path& file) {
  std::vector<json> lines;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);)
    lines.push_back(json::parse(line));
  return lines;
}

struct interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// From the source's stop to the target's resume, of every VM.
std::map<int, interval> pauses_of(const std::vector<json>& trace) {
  std::map<int, interval> pauses;
  for (const auto& line : trace) {
    if (line.at("event") != "pause_mark")
      continue;
    if (line.at("mark") == "source_stopped")
      pauses[line.at("vm")].begin = line.at("marked_at");
    if (line.at("mark") == "resumed")
      pauses[line.at("vm")].end = line.at("marked_at");
  }
  return pauses;
}

/// Logins: from a link that is being opened to the one that is open.
std::vector<interval> logins_of(const std::vector<json>& trace) {
  std::vector<interval> logins;
  std::map<std::string, std::int64_t> begun;
  for (const auto& line : trace) {
    if (line.at("event") != "link_changed")
      continue;
    const auto node = line.at("node").get<std::string>();
    if (line.at("state") == "opening")
      begun[node] = line.at("at");
    else if (line.at("state") == "opened")
      logins.push_back({begun.at(node), line.at("at")});
  }
  return logins;
}

} // namespace

TEST_CASE("24 VMs leave a host through real sshds, and no login falls into a pause", "[system]") {
  const temporary_directory directory;
  const auto trace_file = (directory.path() / "trace").string();
  running_program program{
    {DROVER_PROGRAM, "run", DROVER_SCENARIOS "/ssh/demo_ssh.json", "-o", "json", "--trace",
     trace_file}};
  REQUIRE(program.wait_until(
    [](const auto& seen) { return seen.err.find("moved, pause") != std::string::npos; }, 120s));
  const auto room = ssh_lab::room_of(program.pid());
  REQUIRE_FALSE(room.empty());
  CHECK_FALSE(ssh_lab::networks(room).empty());
  const auto ended = program.finish(240s);
  INFO(ended.out << ended.err);
  REQUIRE_FALSE(ended.timed_out);
  CHECK(ended.exit_code == 0);
  CHECK(ended.err.find("drover: the hosts are ") != std::string::npos);
  const auto result = json::parse(ended.out);
  CHECK(result.at("wrong") == json::array());
  CHECK(result.at("moved") == 24);
  CHECK(result.at("beats").at("lost") == 0);
  CHECK(result.at("beats").at("doubled") == 0);

  const auto trace = lines_of(trace_file);
  const auto pauses = pauses_of(trace);
  const auto logins = logins_of(trace);
  CHECK(pauses.size() == 24);
  CHECK(logins.size() == 3);
  for (const auto& [vm, pause] : pauses) {
    INFO("VM " << vm);
    CHECK(pause.begin < pause.end);
    for (const auto& login : logins)
      CHECK((login.end < pause.begin || login.begin > pause.end));
  }
  CHECK(processes_with(room).empty());
  CHECK(ssh_lab::networks(room).empty());
}

TEST_CASE(
  "a host key is noted only when it was confirmed, and a changed one is named", "[system]") {
  ssh_lab l;
  const auto refused = l.run({"node", "trust", "n1"});
  INFO(refused.out << refused.err);
  CHECK(refused.exit_code == 1);
  CHECK(refused.err.find(l.fingerprint()) != std::string::npos);
  CHECK(refused.err.find("--yes") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(l.known_hosts()));

  const auto noted = l.run({"node", "trust", "n1", "--yes", "-o", "json"});
  INFO(noted.out << noted.err);
  CHECK(noted.exit_code == 0);
  CHECK(json::parse(noted.out).at("fingerprint") == l.fingerprint());
  CHECK(json::parse(noted.out).at("result") == "noted");
  const auto again = l.run({"node", "trust", "n1", "-o", "json"});
  CHECK(again.exit_code == 0);
  CHECK(json::parse(again.out).at("result") == "known before");

  l.change_host_key();
  const auto changed = l.run({"node", "trust", "n1", "--yes"});
  INFO(changed.out << changed.err);
  CHECK(changed.exit_code == 1);
  CHECK(changed.err.find(l.known_hosts() + ":1") != std::string::npos);
  const auto check = l.run({"node", "check", "n1"});
  INFO(check.out << check.err);
  CHECK(check.exit_code == 1);
  CHECK(check.out.find("CHANGED") != std::string::npos);
  CHECK(l.run({"node", "trust", "n9"}).err.find("n9") != std::string::npos);
}

TEST_CASE("node check tells what is missing and what mends it, until nothing is", "[system]") {
  ssh_lab l;
  const auto strange = l.run({"node", "check"});
  INFO(strange.out << strange.err);
  CHECK(strange.exit_code == 1);
  CHECK(strange.out.find("drover node trust n1") != std::string::npos);

  REQUIRE(l.run({"node", "trust", "n1", "--yes"}).exit_code == 0);
  const auto ready = l.run({"node", "check", "-o", "json"});
  INFO(ready.out << ready.err);
  CHECK(ready.exit_code == 0);
  const auto seen = json::parse(ready.out);
  CHECK(seen.at("ready") == true);
  std::set<std::string> items;
  for (const auto& item : seen.at("nodes")[0].at("items"))
    items.insert(item.at("item"));
  CHECK(
    items == std::set<std::string>{
               "login", "agent", "qemu", "store", "migration_address", "run_dir", "clock"});

  l.set("/nodes/n1/agent", "/nowhere/drover-agent");
  const auto gone = l.run({"node", "check"});
  INFO(gone.out << gone.err);
  CHECK(gone.exit_code == 1);
  CHECK(gone.out.find("scp -P") != std::string::npos);
  l.set("/nodes/n1/agent", DROVER_AGENT_PROGRAM);
  l.set("/nodes/n1/migration_address", "192.0.2.77");
  const auto elsewhere = l.run({"node", "check", "n1"});
  CHECK(elsewhere.exit_code == 1);
  CHECK(elsewhere.out.find("set nodes.n1.migration_address") != std::string::npos);
}

TEST_CASE("the README's forced command is all that the key needs", "[system]") {
  ssh_lab l;
  REQUIRE(l.run({"node", "trust", "n1", "--yes"}).exit_code == 0);
  l.restrict_login(readme_forced_command());
  // What the controller asks for does not count any more.
  l.set("/nodes/n1/agent", "/nowhere/drover-agent");
  const auto check = l.run({"node", "check"});
  INFO(check.out << check.err);
  CHECK(check.exit_code == 0);
  const auto status = l.run({"status", "-o", "json"});
  INFO(status.out << status.err);
  CHECK(status.exit_code == 0);
  CHECK(json::parse(status.out).at("nodes").size() == 1);
  CHECK(status.out.find("unreachable") == std::string::npos);
  const auto started = l.run({"vm", "start", "100"});
  CHECK(started.out.find("no node holds a VM") != std::string::npos);
}

TEST_CASE("the README's cluster files and the file of its etcd can be read", "[system]") {
  const temporary_directory directory;
  const auto readme = text_of(DROVER_SCENARIOS "/../README.md");
  const std::string fence = "```json\n";
  std::size_t clusters = 0;
  std::size_t stores = 0;
  for (auto at = readme.find(fence); at != std::string::npos; at = readme.find(fence, at + 1)) {
    const auto begin = at + fence.size();
    const auto file = (directory.path() / "cluster.json").string();
    const auto text = readme.substr(begin, readme.find("```", begin) - begin);
    if (json::parse(text).contains("endpoints")) {
      CHECK(drover::parse_etcd_file(text, "README.md", directory.path()).has_value());
      ++stores;
      continue;
    }
    write_text(file, text);
    const auto asked =
      run_program({DROVER_PROGRAM, "--cluster", file, "node", "trust", "none"}, 20s);
    INFO(asked.err);
    CHECK(asked.err.find("node1, node2") != std::string::npos);
    ++clusters;
  }
  CHECK(clusters == 2);
  CHECK(stores == 1);
}
