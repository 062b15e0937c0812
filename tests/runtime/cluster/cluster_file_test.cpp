#include "runtime/cluster/cluster_file.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace drover;

namespace {

const std::string whole = R"({
  "name": "lab",
  "store": {"kind": "pmxcfs", "path": "/etc/pve/"},
  "nodes": {
    "n1": {"link": "process", "run_dir": "run/n1", "memory": "16G", "reserve": "1.5G",
           "migration_address": "192.0.2.7", "limits": {"prepare": 4, "streams": 1}},
    "n2": {"run_dir": "/run/drover/n2/../n2", "memory": "8G", "migration_address": "2001:db8::2"}
  },
  "limits": {"prepare": 6, "inbound": 5, "streams": 3, "windows": 2, "cluster": 20},
  "storages": {"shared": {"path": "vms", "shared": true}, "local": {"path": "/srv/vms"}},
  "accel": "tcg",
  "agent": "../bin/drover-agent",
  "qemu": "./qemu"
})";

result<cluster_file> parse(const std::string& text) {
  return parse_cluster_file(text, "lab.json", "/home/lab");
}

/// The whole file with one JSON pointer set to a value ("null" removes it).
std::string error_with(const std::string& pointer, const std::string& value) {
  auto document = nlohmann::json::parse(whole);
  const nlohmann::json::json_pointer where(pointer);
  const auto parsed = nlohmann::json::parse(value);
  if (parsed.is_null())
    document.at(where.parent_pointer()).erase(where.back());
  else
    document[where] = parsed;
  const auto file = parse(document.dump());
  if (file)
    return "accepted";
  CHECK(file.error().code == errc::invalid);
  return to_string(file.error());
}

/// A directory that is gone again at the end.
struct scratch {
  std::filesystem::path path;
  scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "drover-cluster-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~scratch() { std::filesystem::remove_all(path); }
};

} // namespace

TEST_CASE("a cluster file is read with its defaults, and paths begin at the file") {
  const auto file = parse(whole);
  REQUIRE(file.has_value());
  CHECK(file->name == "lab");
  CHECK(file->store_path == "/etc/pve");
  REQUIRE(file->nodes.size() == 2);
  const auto& n1 = file->nodes.at(node_id{"n1"});
  CHECK(n1.run_dir == "/home/lab/run/n1");
  CHECK(n1.memory_bytes == 16ULL << 30U);
  CHECK(n1.reserve_bytes == 3ULL << 29U);
  CHECK(n1.migration_address == "192.0.2.7");
  CHECK(n1.limits == node_limits{4, 5, 1});
  const auto& n2 = file->nodes.at(node_id{"n2"});
  CHECK(n2.node == node_id{"n2"});
  CHECK(n2.run_dir == "/run/drover/n2");
  CHECK(n2.limits == node_limits{6, 5, 3});
  CHECK(file->limits == cluster_limits{20, 6, 5, 3, 2});
  CHECK(file->storages.at("shared").path == "/home/lab/vms");
  CHECK(file->storages.at("shared").shared);
  CHECK_FALSE(file->storages.at("local").shared);
  CHECK(file->accel == "tcg");
  CHECK(file->agent == "/home/bin/drover-agent");
  CHECK(file->qemu == "/home/lab/qemu");
}

TEST_CASE("the smallest cluster file says where the store is and names a node") {
  const auto file = parse(
    R"({"name": "a", "store": {"path": "s"}, "nodes": {"n": {"run_dir": "r", "memory": "1G"}}})");
  REQUIRE(file.has_value());
  const auto& n = file->nodes.at(node_id{"n"});
  CHECK(n.migration_address == "127.0.0.1");
  CHECK(n.limits == node_limits{});
  CHECK(file->limits == cluster_limits{});
  CHECK(file->agent.empty());
  CHECK(file->qemu == "qemu-system-x86_64");
  CHECK(file->accel == "auto");
}

TEST_CASE("streams are encrypted unless the cluster file says plain, and a node may limit them") {
  const auto usual = parse(whole);
  REQUIRE(usual.has_value());
  CHECK(usual->stream == stream_kind::tls);
  CHECK(usual->channels == 1);
  CHECK(usual->nodes.at(node_id{"n1"}).bandwidth_mib_s == 0);
  const auto file = parse(R"({
    "name": "a", "store": {"path": "s"}, "stream": "plain", "channels": 4,
    "nodes": {"n": {"run_dir": "r", "memory": "1G", "bandwidth_mib_s": 100}}})");
  REQUIRE(file.has_value());
  CHECK(file->stream == stream_kind::plain);
  CHECK(file->channels == 4);
  CHECK(file->nodes.at(node_id{"n"}).bandwidth_mib_s == 100);
}

TEST_CASE("a store may lag, and each node in its own way") {
  const auto file = parse(R"({
    "name": "a",
    "store": {"kind": "lagging", "path": "s", "lag": "100ms"},
    "nodes": {
      "n1": {"run_dir": "r1", "memory": "1G"},
      "n2": {"run_dir": "r2", "memory": "1G", "store_lag": {"least": "1ms", "most": "5ms",
             "slow_per_million": 1000, "slow_most": "2s"}}
    }})");
  REQUIRE(file.has_value());
  CHECK(file->store == store_kind::lagging);
  CHECK(file->store_path == "/home/lab/s");
  CHECK(file->store_lag == exactly(milliseconds{100}));
  CHECK(file->nodes.at(node_id{"n1"}).store_lag == exactly(milliseconds{100}));
  CHECK(
    file->nodes.at(node_id{"n2"}).store_lag ==
    delay_range{milliseconds{1}, milliseconds{5}, 1000, std::chrono::seconds{2}});
  const auto prompt = parse(whole);
  CHECK(prompt->store == store_kind::pmxcfs);
  CHECK(prompt->store_lag == delay_range{});
}

TEST_CASE("every fault of a cluster file is told with file, path and what would be right") {
  struct fault {
    std::string pointer;
    std::string value;
    std::string message;
  };
  const std::string long_dir(90, 'x');
  const std::vector<fault> faults{
    {"/name", "null", "lab.json: /name: is missing"},
    {"/name", "\"\"", "lab.json: /name: must not be empty"},
    {"/stream", "\"ssl\"", "lab.json: /stream: expected one of tls, plain, found \"ssl\""},
    {"/name", "5", "lab.json: /name: expected a string, found 5"},
    {"/store", "null", "lab.json: /store: is missing"},
    {"/store", "[]", "lab.json: /store: expected an object, found a list"},
    {"/store/path", "null", "lab.json: /store/path: is missing"},
    {"/store/path", "\"\"", "lab.json: /store/path: expected a path"},
    {"/store/kind", "\"zookeeper\"",
     "lab.json: /store/kind: expected one of pmxcfs, lagging, etcd, found \"zookeeper\""},
    {"/store/lag", "\"1s\"",
     "lab.json: /store/lag: only a store of the kind \"lagging\" has a lag"},
    {"/nodes/n1/store_lag", "\"1s\"",
     "lab.json: /nodes/n1/store_lag: only a store of the kind \"lagging\" has a lag"},
    {"/store", R"({"kind": "lagging", "path": "s", "lag": "1"})",
     "lab.json: /store/lag: expected a time with its unit (ns, us, ms, s, m), like 100ms or 2s"},
    {"/store", R"({"kind": "lagging", "path": "s", "lag": {"least": "1s", "most": "5ms"}})",
     "lab.json: /store/lag/most: is less than the least, 1s"},
    {"/nodes", "null", "lab.json: /nodes: is missing: an object with a member for each node"},
    {"/nodes", "{}", "lab.json: /nodes: a cluster needs at least one node"},
    {"/nodes/n1/memory", "null",
     "lab.json: /nodes/n1/memory: is missing: a size with its unit, like \"16G\""},
    {"/nodes/n1/memory", "16",
     "lab.json: /nodes/n1/memory: expected a size with its unit in quotes, like \"16G\", found 16"},
    {"/nodes/n1/memory", "\"16 GB\"",
     "lab.json: /nodes/n1/memory: expected a size with its unit (B, K, M, G, T), like 2G or 512M"},
    {"/nodes/n1/memory", "\"0B\"", "lab.json: /nodes/n1/memory: a node needs memory for guests"},
    {"/nodes/n1/reserve", "\"16G\"", "lab.json: /nodes/n1/reserve: leaves no memory for guests"},
    {"/nodes/n1/link", "\"rsh\"",
     "lab.json: /nodes/n1/link: expected one of process, ssh, found \"rsh\""},
    {"/nodes/n1/run_dir", "null", "lab.json: /nodes/n1/run_dir: is missing"},
    {"/nodes/n2/run_dir", "\"/home/lab/run/n1/\"",
     "lab.json: /nodes/n2/run_dir: is node n1's already; each node needs its own"},
    {"/nodes/n2/run_dir", "\"/" + long_dir + "\"",
     "lab.json: /nodes/n2/run_dir: is 91 bytes long (/" + long_dir +
       "), at most 89 leave room for the sockets in it"},
    {"/nodes/n1/migration_address", "\"localhost\"",
     "lab.json: /nodes/n1/migration_address: expected a numeric address like \"192.0.2.7\", found "
     "\"localhost\""},
    {"/nodes/n1/limits/streams", "0",
     "lab.json: /nodes/n1/limits/streams: expected a whole number from 1 to 100000, found 0"},
    {"/nodes/n1/limits/windows", "1",
     "lab.json: /nodes/n1/limits/windows: unknown field; known here: inbound, prepare, streams"},
    {"/nodes/n1/memroy", "\"1G\"",
     "lab.json: /nodes/n1/memroy: unknown field; known here: agent, bandwidth_mib_s, host, "
     "identity_file, limits, link, memory, migration_address, port, reserve, run_dir, store_lag, "
     "user"},
    {"/nodes/bad_name", R"({"run_dir": "r", "memory": "1G"})",
     "lab.json: /nodes/bad_name: a node's name has 1 to 63 letters, digits and inner hyphens, like "
     "a host's name"},
    {"/nodes/n3", "7", "lab.json: /nodes/n3: expected an object, found 7"},
    {"/limits/windows", "0",
     "lab.json: /limits/windows: expected a whole number from 1 to 100000, found 0"},
    {"/limits/cluster", "-1",
     "lab.json: /limits/cluster: expected a whole number from 0 to "
     "4294967295, found -1"},
    {"/limits/cluster", "2.5", "lab.json: /limits/cluster: expected a whole number, found 2.5"},
    {"/limits", "3", "lab.json: /limits: expected an object, found 3"},
    {"/storages/shared/path", "null", "lab.json: /storages/shared/path: is missing"},
    {"/storages/shared/shared", "\"yes\"",
     "lab.json: /storages/shared/shared: expected true or false, found \"yes\""},
    {"/storages/a:b", R"({"path": "x"})",
     "lab.json: /storages/a:b: a storage's name has no colon, slash, comma or space"},
    {"/accel", "\"hvf\"", "lab.json: /accel: expected one of auto, tcg, kvm, found \"hvf\""},
    {"/qemu", "\"\"", "lab.json: /qemu: expected a path"},
    {"/agnet", "\"x\"",
     "lab.json: /agnet: unknown field; known here: accel, agent, channels, limits, link, "
     "name, nodes, qemu, ssh, storages, store, stream"},
  };
  for (const auto& f : faults) {
    INFO(f.pointer << " = " << f.value);
    CHECK(error_with(f.pointer, f.value) == f.message);
  }
}

TEST_CASE("what is not JSON is told with its place") {
  const auto why = [](const std::string& text) { return to_string(parse(text).error()); };
  CHECK_THAT(why("{\n  \"name\": lab\n}"), Catch::StartsWith("lab.json: line 2, column "));
  CHECK(why(R"({"name": "a", "name": "b"})") == "lab.json: the field \"name\" is given twice");
  CHECK(why("[]") == "lab.json: /: expected an object, found a list");
  CHECK_THAT(why(""), Catch::StartsWith("lab.json: "));
}

TEST_CASE("a cut or altered file is an error or a cluster, never a crash") {
  for (std::size_t n = 0; n < whole.size(); ++n)
    CHECK_FALSE(parse(whole.substr(0, n)).has_value());
  for (std::size_t n = 0; n < whole.size(); ++n)
    for (const char c : {'"', '{', '0', '\0', '\xff', ','}) {
      auto text = whole;
      text[n] = c;
      const auto file = parse(text);
      CHECK((file.has_value() || file.error().code == errc::invalid));
    }
}

TEST_CASE("a cluster file is read from the disk, and what cannot be read is named") {
  const scratch room;
  const auto why = [](const std::filesystem::path& path) {
    return to_string(read_cluster_file(path).error());
  };
  CHECK_THAT(why(room.path / "lab.json"), Catch::EndsWith("lab.json: No such file or directory"));
  CHECK_THAT(why(room.path), Catch::EndsWith(": is not a regular file"));
  CHECK_THAT(why("/dev/zero"), Catch::EndsWith(": is not a regular file"));
  const auto write = [&](const std::string& text) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen((room.path / "lab.json").c_str(), "w"), &std::fclose);
    REQUIRE(std::fwrite(text.data(), 1, text.size(), file.get()) == text.size());
  };
  write(std::string(5 << 20, ' '));
  CHECK_THAT(why(room.path / "lab.json"), Catch::EndsWith("is longer than 4194304 bytes"));
  write(whole);
  const auto file = read_cluster_file(room.path / "lab.json");
  REQUIRE(file.has_value());
  CHECK(file->nodes.at(node_id{"n1"}).run_dir == room.path / "run/n1");
  write("{");
  CHECK_THAT(
    why(room.path / "lab.json"), Catch::StartsWith((room.path / "lab.json").string() + ": "));
}
