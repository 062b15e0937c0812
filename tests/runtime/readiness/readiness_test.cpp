// What a node says that it has and lacks, and what a forced command takes from who logs in.
#include "runtime/readiness/asked_words.hpp"
#include "runtime/readiness/node_probe.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace drover;

namespace {

/// A directory that is gone again at the end.
struct scratch {
  std::filesystem::path path;
  scratch() {
    std::string name = "/tmp/drover-ready-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~scratch() { std::filesystem::remove_all(path); }
};

readiness_item item_of(const readiness_report& report, const std::string& name) {
  const auto found =
    std::find_if(report.items.begin(), report.items.end(), [&name](const readiness_item& one) {
      return one.name == name;
    });
  REQUIRE(found != report.items.end());
  return *found;
}

} // namespace

TEST_CASE("a forced command takes two words from who logs in, and nothing else") {
  CHECK_FALSE(read_asked_words("").observe);
  CHECK(read_asked_words("drover-agent --stdio --observe").observe);
  CHECK_FALSE(read_asked_words("drover-agent --stdio --observe").check);
  const auto both = read_asked_words("x --check --observe --run-dir /etc");
  CHECK(both.observe);
  CHECK(both.check);
  CHECK_FALSE(read_asked_words("x --observer --checked '--check'").check);
  CHECK_FALSE(read_asked_words("x --observer").observe);
}

TEST_CASE("a report is one line and comes back whole") {
  const readiness_report report{
    "1.2", {{"qemu", true, "qemu 7.2", ""}, {"store", false, "there is \"no\"\n", "mkdir x"}}};
  const auto line = to_line(report);
  CHECK(line.find('\n') == std::string::npos);
  const auto read = report_from_line(line);
  REQUIRE(read);
  CHECK(*read == report);
  for (const auto* other : {"", "{}", "[1]", R"({"readiness":{}})", R"({"readiness":3})"})
    CHECK_FALSE(report_from_line(other));
}

TEST_CASE("what a node lacks is told with what mends it") {
  const scratch room;
  const probe_settings settings{
    "n1", room.path / "run", room.path / "store", "192.0.2.77", (room.path / "no-qemu").string()};
  const auto bare = probe_node(settings);
  CHECK(bare.version == DROVER_VERSION);
  const auto qemu = item_of(bare, "qemu");
  CHECK_FALSE(qemu.ok);
  CHECK_THAT(qemu.mend, Catch::Contains("apt-get install"));
  const auto store = item_of(bare, "store");
  CHECK_FALSE(store.ok);
  CHECK_THAT(store.found, Catch::Contains((room.path / "store").string()));
  const auto address = item_of(bare, "migration_address");
  CHECK_FALSE(address.ok);
  CHECK_THAT(address.mend, Catch::StartsWith("set nodes.n1.migration_address "));
  // Its parent is there and may be written, so the agent will make it.
  CHECK(item_of(bare, "run_dir").ok);
}

TEST_CASE("a run directory that everybody may look into is not taken") {
  const scratch room;
  std::filesystem::create_directories(room.path / "run");
  std::filesystem::create_directories(room.path / "store");
  const probe_settings settings{
    "n1", room.path / "run", room.path / "store", "127.0.0.1", "/bin/false"};
  std::filesystem::permissions(room.path / "run", std::filesystem::perms{0755});
  const auto open = item_of(probe_node(settings), "run_dir");
  CHECK_FALSE(open.ok);
  CHECK(open.mend == "chmod o-rwx " + (room.path / "run").string());
  std::filesystem::permissions(room.path / "run", std::filesystem::perms{0750});
  const auto closed = probe_node(settings);
  CHECK(item_of(closed, "run_dir").ok);
  CHECK(item_of(closed, "store").ok);
  CHECK(item_of(closed, "migration_address").ok);
  CHECK_FALSE(std::filesystem::exists(room.path / "store" / "nodes"));
}

TEST_CASE("a store that is reached by way of a file needs that file") {
  const scratch room;
  const auto file = room.path / "etcd.json";
  std::ofstream{file} << "{}";
  const probe_settings settings{"n1", room.path / "run", file, "127.0.0.1", "/bin/false"};
  CHECK(item_of(probe_node(settings), "store").ok);
}
