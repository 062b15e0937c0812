// The part of a cluster file about nodes on other machines.
#include "runtime/cluster/cluster_file.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace drover;

namespace {

const std::string rack = R"({
  "name": "rack",
  "store": {"path": "/etc/pve"},
  "link": "ssh",
  "ssh": {"user": "drover", "identity_file": "keys/login", "port": 2222, "logins": 8,
          "known_hosts": "trusted", "agent": "/usr/lib/drover-agent", "beat_within": "3s",
          "beat_every": "500ms", "logins_per_host": 2, "connect_within": "2s",
          "login_within": "9s"},
  "nodes": {
    "n1": {"host": "192.0.2.1", "run_dir": "/run/drover", "memory": "1G"},
    "n2": {"run_dir": "/run/drover", "memory": "1G", "migration_address": "198.51.100.2",
           "port": 22, "user": "root", "identity_file": "/root/key", "agent": "drover-agent"},
    "n3": {"link": "process", "run_dir": "/run/drover", "memory": "1G"}
  }
})";

result<cluster_file> parse(const std::string& text) {
  return parse_cluster_file(text, "rack.json", "/home/lab");
}

/// The whole file with one JSON pointer set to a value ("null" removes it).
std::string error_with(const std::string& pointer, const std::string& value) {
  auto document = nlohmann::json::parse(rack);
  const nlohmann::json::json_pointer where(pointer);
  const auto parsed = nlohmann::json::parse(value);
  if (parsed.is_null())
    document.at(where.parent_pointer()).erase(where.back());
  else
    document[where] = parsed;
  const auto file = parse(document.dump());
  return file ? "accepted" : to_string(file.error());
}

} // namespace

TEST_CASE("nodes on other machines are read with the cluster's defaults") {
  const auto file = parse(rack);
  REQUIRE(file.has_value());
  CHECK(file->ssh.known_hosts == "/home/lab/trusted");
  CHECK(file->ssh.logins == 8);
  CHECK(file->ssh.logins_per_host == 2);
  CHECK(file->ssh.connect_within == std::chrono::seconds(2));
  CHECK(file->ssh.login_within == std::chrono::seconds(9));
  CHECK(file->ssh.beat_every == milliseconds(500));
  CHECK(file->ssh.beat_within == std::chrono::seconds(3));
  const auto& n1 = file->nodes.at(node_id{"n1"});
  CHECK(n1.link == link_kind::ssh);
  CHECK(
    n1.place ==
    ssh_place{"192.0.2.1", 2222, "drover", "/home/lab/keys/login", "/usr/lib/drover-agent"});
  // A numeric host is also where memory streams arrive, unless the file says otherwise.
  CHECK(n1.migration_address == "192.0.2.1");
  const auto& n2 = file->nodes.at(node_id{"n2"});
  CHECK(n2.place == ssh_place{"n2", 22, "root", "/root/key", "drover-agent"});
  CHECK(n2.migration_address == "198.51.100.2");
  const auto& n3 = file->nodes.at(node_id{"n3"});
  CHECK(n3.link == link_kind::process);
  CHECK(n3.migration_address == "127.0.0.1");
}

TEST_CASE("a node over ssh needs little: its host's name is its own") {
  const auto file = parse(
    R"({"name": "a", "store": {"path": "s"}, "nodes": {"n": {"link": "ssh", "run_dir": "/r",
        "memory": "1G", "migration_address": "192.0.2.9"}}})");
  REQUIRE(file.has_value());
  CHECK(file->nodes.at(node_id{"n"}).place == ssh_place{"n", 22, "root", "", "drover-agent"});
  CHECK(file->ssh.known_hosts == "/home/lab/known_hosts");
  CHECK(file->ssh.logins == 32);
  CHECK(file->ssh.logins_per_host == 5);
}

TEST_CASE("every fault of the ssh fields is told with file, path and what would be right") {
  struct fault {
    std::string pointer;
    std::string value;
    std::string message;
  };
  const std::vector<fault> faults{
    {"/link", "\"rsh\"", "rack.json: /link: expected one of process, ssh, found \"rsh\""},
    {"/nodes/n1/link", "3", "rack.json: /nodes/n1/link: expected a string, found 3"},
    {"/nodes/n1/host", "\"\"",
     "rack.json: /nodes/n1/host: expected a host's name or address, found \"\""},
    {"/nodes/n1/host", "\"-oProxyCommand=x\"",
     "rack.json: /nodes/n1/host: expected a host's name or address, found \"-oProxyCommand=x\""},
    {"/nodes/n1/host", "\"a b\"",
     "rack.json: /nodes/n1/host: expected a host's name or address, found \"a b\""},
    {"/nodes/n1/port", "0",
     "rack.json: /nodes/n1/port: expected a whole number from 1 to 65535, found 0"},
    {"/nodes/n1/port", "65536",
     "rack.json: /nodes/n1/port: expected a whole number from 1 to 65535, found 65536"},
    {"/nodes/n1/port", "\"ssh\"",
     "rack.json: /nodes/n1/port: expected a whole number, found \"ssh\""},
    {"/nodes/n1/user", "\"dro ver\"",
     "rack.json: /nodes/n1/user: expected the name of a user on the node, found \"dro ver\""},
    {"/nodes/n1/identity_file", "\"\"", "rack.json: /nodes/n1/identity_file: expected a path"},
    {"/nodes/n1/agent", "\"bin/drover-agent\"",
     "rack.json: /nodes/n1/agent: expected an absolute path on the node, or a name that is "
     "searched in its PATH, found \"bin/drover-agent\""},
    {"/nodes/n2/migration_address", "null",
     "rack.json: /nodes/n2/migration_address: is missing: the numeric address at which the other "
     "nodes reach this one, because its host is a name"},
    {"/nodes/n3/host", "\"x\"",
     "rack.json: /nodes/n3/host: only a node with the link \"ssh\" has one"},
    {"/nodes/n3/agent", "\"/x\"",
     "rack.json: /nodes/n3/agent: only a node with the link \"ssh\" has one"},
    {"/nodes/n2/host", "\"192.0.2.1\"",
     "rack.json: /nodes/n2/run_dir: is node n1's already; each node needs its own"},
    {"/ssh", "[]", "rack.json: /ssh: expected an object, found a list"},
    {"/ssh/host", "\"x\"",
     "rack.json: /ssh/host: unknown field; known here: agent, beat_every, beat_within, "
     "connect_within, identity_file, known_hosts, login_within, logins, logins_per_host, port, "
     "user"},
    {"/ssh/known_hosts", "\"\"", "rack.json: /ssh/known_hosts: expected a path"},
    {"/ssh/logins", "0",
     "rack.json: /ssh/logins: expected a whole number from 1 to 10000, found 0"},
    {"/ssh/logins_per_host", "-1",
     "rack.json: /ssh/logins_per_host: expected a whole number from 0 to 4294967295, found -1"},
    {"/ssh/connect_within", "\"0\"", "rack.json: /ssh/connect_within: expected at least 1ms"},
    {"/ssh/login_within", "\"soon\"",
     "rack.json: /ssh/login_within: expected a time with its unit (ns, us, ms, s, m), like 100ms "
     "or 2s"},
    {"/ssh/beat_within", "\"500ms\"",
     "rack.json: /ssh/beat_within: expected more than beat_every, which is 500ms"},
  };
  for (const auto& f : faults) {
    INFO(f.pointer << " = " << f.value);
    CHECK(error_with(f.pointer, f.value) == f.message);
  }
}
