#include "runtime/store/pmxcfs_files.hpp"

#include "tests/contracts/store_rig.hpp"

#include <atomic>
#include <fstream>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace drover {
namespace {

namespace fs = std::filesystem;
using contracts::code_of;
using contracts::temporary_directory;

const vm_id vm{100};
const node_id n1{"n1"};
const node_id n2{"n2"};

pmxcfs_files files_in(
  const fs::path& directory, std::optional<directory_kind> kind = std::nullopt) {
  auto files = pmxcfs_files::open({directory, n1, milliseconds{120'000}, kind});
  if (!files)
    FAIL(to_string(files.error()));
  return std::move(*files);
}

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

handover_record record_of(vm_id which, std::uint64_t number) {
  return {which,          epoch{number}, record_state::moving,       n1, n2,
          policy::ticket, "c",           source_outcome::unpublished};
}

/// Every file below, but for the guard; none may be left half-written.
std::set<std::string> names_below(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && entry.path().filename() != "guard")
      names.insert(entry.path().lexically_relative(directory).string());
  return names;
}

} // namespace

TEST_CASE("the layout is Proxmox's, and no call leaves other files behind") {
  const temporary_directory directory;
  const auto kind = GENERATE(directory_kind::plain, directory_kind::replicated);
  auto files = files_in(directory.path(), kind);
  REQUIRE(files.create_config(vm, n1, "name: a\n"));
  REQUIRE(files.write_config(vm, n1, {"name: a\n", "name: b\n"}));
  REQUIRE(files.move_config(vm, n1, n2));
  REQUIRE(files.write_record(record_of(vm, 3)));
  REQUIRE(files.barrier());
  REQUIRE(files.take_lock("drover-x", "me"));
  const std::set<std::string> expected{
    "drover/barrier/n1", "drover/locks/drover-x.json", "drover/vm/100.json",
    "nodes/n2/qemu-server/100.conf"};
  CHECK(names_below(directory.path()) == expected);
  CHECK(fs::is_directory(directory.path() / "priv/lock/drover-x"));

  // What fails leaves nothing either.
  CHECK(code_of(files.create_config(vm, n2, "name: c\n")) == "conflict");
  CHECK(code_of(files.write_config(vm, n1, {"name: b\n", "name: c\n"})) == "conflict");
  CHECK(code_of(files.write_record(record_of(vm, 2))) == "conflict");
  CHECK(names_below(directory.path()) == expected);
}

TEST_CASE("a config is not written while one of Proxmox's tools works on its VM") {
  const temporary_directory directory;
  const temporary_directory tools;
  const auto kind = GENERATE(directory_kind::plain, directory_kind::replicated);
  auto files =
    *pmxcfs_files::open({directory.path(), n1, std::chrono::seconds{120}, kind, tools.path()});
  REQUIRE(files.create_config(vm, n1, "name: a\n"));
  {
    const file_calls::exclusive_lock tool(tools.path() / "lock-100.conf");
    REQUIRE(tool.failure() == 0);
    const auto refused = files.write_config(vm, n1, {"name: a\n", "name: b\n"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::retry);
    CHECK(to_string(refused.error()).find("Proxmox's tools") != std::string::npos);
    CHECK(*files.read_config(vm, n1) == "name: a\n");
  }
  CHECK(code_of(files.write_config(vm, n1, {"name: z\n", "name: b\n"})) == "conflict");
  CHECK(*files.read_config(vm, n1) == "name: a\n");
  CHECK(files.write_config(vm, n1, {"name: a\n", "name: b\n"}));
  // The tool takes its lock again: drover has given it back.
  CHECK(
    file_calls::exclusive_lock(tools.path() / "lock-100.conf", file_calls::waiting::forbidden)
      .failure() == 0);
}

TEST_CASE("what a writer that was killed has left goes with the next write of its node") {
  const temporary_directory directory;
  const auto child = ::fork();
  if (child == 0)
    ::_exit(0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  const auto dead = std::to_string(child);
  const std::set<std::string> not_ours{
    "nodes/n1/qemu-server/100.conf.tmp.n2." + dead + ".1",
    "nodes/n1/qemu-server/100.conf.tmp.n1." + std::to_string(::getpid()) + ".999999",
    "nodes/n1/qemu-server/100.conf.tmp." + dead + ".1", "drover/vm/100.json.tmp.n1.x.1"};
  const std::set<std::string> left{
    "nodes/n1/qemu-server/100.conf.tmp.n1." + dead + ".1",
    "drover/vm/100.json.tmp.n1." + dead + ".2", "drover/locks/a.json.tmp.n1." + dead + ".3"};
  for (const auto& names : {not_ours, left})
    for (const auto& name : names)
      put(directory.path() / name, "half");
  auto files = files_in(directory.path());
  CHECK(files.read_places()->empty());
  for (const auto& name : left)
    CHECK(fs::exists(directory.path() / name)); // Who only reads removes nothing.
  REQUIRE(files.barrier());
  auto expected = not_ours;
  expected.insert("drover/barrier/n1");
  CHECK(names_below(directory.path()) == expected);
}

TEST_CASE("the membership is what a pmxcfs says of it, and a plain directory has none") {
  const temporary_directory directory;
  auto plain = files_in(directory.path(), directory_kind::plain);
  CHECK(plain.read_membership()->empty());
  auto mounted = files_in(directory.path(), directory_kind::replicated);
  // A pmxcfs that is restarted is unmounted for a moment.
  CHECK_FALSE(mounted.read_membership());
  const std::string members = R"({"nodename": "n1", "version": 4, "cluster": {"quorate": 1}})";
  put(directory.path() / ".members", members);
  CHECK(*mounted.read_membership() == members);
}

TEST_CASE("a number that a container has is taken too") {
  const temporary_directory directory;
  put(directory.path() / "nodes/n2/lxc/100.conf", "hostname: c\n");
  const auto files = files_in(directory.path());
  CHECK(code_of(files.create_config(vm, n1, "name: a\n")) == "conflict");
  CHECK(files.read_places()->empty());
}

TEST_CASE("only configs count as VMs, whatever else lies about") {
  const temporary_directory directory;
  const auto nodes = directory.path() / "nodes";
  put(nodes / "n1/qemu-server/100.conf", "name: a\n");
  for (const char* other :
       {"n1/qemu-server/101.conf.tmp.1.2", "n1/qemu-server/x.conf", "n1/qemu-server/0100.conf",
        "n1/qemu-server/.conf", "n1/qemu-server/99999999999.conf", "n2/config", "file",
        ".hidden/qemu-server/102.conf"})
    put(nodes / other, "x");
  const auto files = files_in(directory.path());
  CHECK(*files.read_places() == std::map<vm_id, node_id>{{vm, n1}});
  CHECK(*files.read_owner(vm_id{102}) == std::nullopt);
}

TEST_CASE("a VM with two configs is an error that names both nodes, not a guess") {
  const temporary_directory directory;
  put(directory.path() / "nodes/n1/qemu-server/100.conf", "name: a\n");
  put(directory.path() / "nodes/n2/qemu-server/100.conf", "name: a\n");
  const auto files = files_in(directory.path());
  const auto places = files.read_places();
  REQUIRE(code_of(places) == "invalid");
  CHECK_THAT(places.error().what, Catch::Contains("on n1 and on n2"));
  CHECK(code_of(files.move_config(vm, n1, n2)) == "conflict");
}

TEST_CASE("a config that is empty is being written: it is no VM of defaults") {
  const temporary_directory directory;
  put(directory.path() / "nodes/n1/qemu-server/100.conf", "");
  const auto files = files_in(directory.path());
  CHECK(code_of(files.read_config(vm, n1)) == "retry");
  CHECK(*files.read_owner(vm) == n1);
}

TEST_CASE("what cannot be right is refused before anything is touched") {
  const temporary_directory directory;
  const auto files = files_in(directory.path());
  CHECK(code_of(files.create_config(vm_id{99}, n1, "name: a\n")) == "invalid");
  CHECK(code_of(files.create_config(vm_id{1000000000}, n1, "name: a\n")) == "invalid");
  CHECK(code_of(files.create_config(vm, n1, "")) == "invalid");
  CHECK(code_of(files.create_config(vm, n1, std::string(1048577, 'x'))) == "invalid");
  for (const char* name : {"", ".", "..", "../n1", "a/b", "a b", ".x"}) {
    INFO(name);
    const node_id wrong{name};
    CHECK(code_of(files.create_config(vm, wrong, "name: a\n")) == "invalid");
    CHECK(code_of(files.write_config(vm, wrong, {"", "name: a\n"})) == "invalid");
    CHECK(code_of(files.read_config(vm, wrong)) == "invalid");
    CHECK(code_of(files.remove_config(vm, wrong)) == "invalid");
    CHECK(code_of(files.move_config(vm, n1, wrong)) == "invalid");
    CHECK(code_of(files.move_config(vm, wrong, n1)) == "invalid");
    CHECK_FALSE(pmxcfs_files::open({directory.path(), wrong, milliseconds{1}, std::nullopt}));
  }
  CHECK(code_of(files.move_config(vm, n1, n1)) == "invalid");
  auto nameless = record_of(vm, 1);
  nameless.source = node_id{""};
  CHECK(code_of(files.write_record(nameless)) == "invalid");
  CHECK(names_below(directory.path()).empty());
}

TEST_CASE("a broken record names its file, and is neither skipped nor written over") {
  const temporary_directory directory;
  const auto files = files_in(directory.path());
  const auto kept = directory.path() / "drover/vm/100.json";
  REQUIRE(files.write_record(record_of(vm_id{101}, 1)));
  for (const std::string text : {"", "{", R"({"vm": 100})"}) {
    put(kept, text);
    const auto record = files.read_record(vm);
    REQUIRE(code_of(record) == "invalid");
    CHECK(record.error().context == kept.string());
    CHECK(code_of(files.read_records()) == "invalid");
    CHECK(code_of(files.write_record(record_of(vm, 9))) == "invalid");
  }
  // Another VM's record under this name, as a copy by hand makes it.
  put(kept, "");
  fs::copy_file(
    directory.path() / "drover/vm/101.json", kept, fs::copy_options::overwrite_existing);
  CHECK(code_of(files.read_record(vm)) == "invalid");
}

TEST_CASE("a directory that cannot be one is an error that names it") {
  const temporary_directory directory;
  const auto open = [](const fs::path& path) {
    return pmxcfs_files::open({path, n1, milliseconds{1}, std::nullopt});
  };
  put(directory.path() / "file", "x");
  CHECK(code_of(open(directory.path() / "file")) == "invalid");
  CHECK(code_of(open(directory.path() / "file" / "below")) == "invalid");
  CHECK(code_of(open(directory.path() / "missing" / "below")) == "invalid");
  CHECK_FALSE(fs::exists(directory.path() / "missing"));
  // A new store is made in a directory that is there.
  REQUIRE(open(directory.path() / "new"));
  CHECK(fs::is_directory(directory.path() / "new"));
}

TEST_CASE("things in the way of the layout are errors, not crashes") {
  const temporary_directory directory;
  put(directory.path() / "nodes", "not a directory");
  put(directory.path() / "drover/vm", "not a directory");
  put(directory.path() / "priv", "not a directory");
  auto files = files_in(directory.path());
  CHECK(code_of(files.read_places()) == "invalid");
  CHECK(code_of(files.read_owner(vm)) == "invalid");
  CHECK(code_of(files.create_config(vm, n1, "name: a\n")) == "invalid");
  CHECK(code_of(files.read_records()) == "invalid");
  CHECK(code_of(files.write_record(record_of(vm, 1))) == "invalid");
  CHECK(code_of(files.take_lock("a", "x")) == "invalid");
  CHECK(code_of(files.read_locks("")) == "invalid");
}

TEST_CASE("a VM that moves all the time is never missed when all places are read") {
  const temporary_directory directory;
  // The way from the first node to the last is long, so that a move overtakes who looks.
  for (int node = 10; node < 90; ++node)
    fs::create_directories(directory.path() / "nodes" / ("n" + std::to_string(node)));
  const node_id last{"n9"};
  const auto files = files_in(directory.path());
  const auto mover = files_in(directory.path());
  REQUIRE(files.create_config(vm, n1, "name: a\n"));
  std::atomic<bool> wanted{true};
  std::atomic<bool> moved_always{true};
  std::thread writer([&] {
    for (auto from = n1, to = last; wanted && moved_always; std::swap(from, to)) {
      if (!mover.move_config(vm, from, to))
        moved_always = false;
      // The guard is not fair: who takes it again at once keeps all others waiting.
      std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
  });
  std::size_t missed = 0;
  for (int look = 0; look < 300; ++look)
    missed += files.read_places()->size() == 1 ? 0 : 1;
  wanted = false;
  writer.join();
  CHECK(moved_always);
  CHECK(missed == 0);
}

} // namespace drover
