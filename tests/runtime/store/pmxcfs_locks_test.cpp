#include "runtime/store/pmxcfs_locks.hpp"

#include "tests/contracts/store_rig.hpp"

#include <fstream>

namespace drover {
namespace {

namespace fs = std::filesystem;
using contracts::code_of;
using contracts::temporary_directory;

pmxcfs_locks locks_in(
  const fs::path& directory, milliseconds expiry,
  std::optional<directory_kind> kind = std::nullopt) {
  auto opened = cluster_directory::open(directory, kind);
  REQUIRE(opened);
  return {*opened, node_id{"n1"}, expiry};
}

} // namespace

TEST_CASE("a lock of Proxmox's own is respected although nobody's name is written down") {
  const temporary_directory directory;
  fs::create_directories(directory.path() / "priv/lock/file-replication_cfg");
  auto locks = locks_in(directory.path(), milliseconds{120'000});
  CHECK(code_of(locks.take("file-replication_cfg", "me")) == "conflict");
  CHECK(code_of(locks.drop("file-replication_cfg", "me")) == "conflict");
  REQUIRE(locks.read("file-")->size() == 1);
  CHECK(locks.read("file-")->front() == store_lock{"file-replication_cfg", ""});
}

TEST_CASE("a lock is judged by the time this process has watched it, not by its date") {
  const temporary_directory directory;
  const auto place = directory.path() / "priv/lock/old";
  fs::create_directories(place);
  fs::last_write_time(place, fs::file_time_type::clock::now() - std::chrono::hours(24));
  auto patient = locks_in(directory.path(), milliseconds{120'000});
  CHECK(code_of(patient.take("old", "me")) == "conflict");
  auto hasty = locks_in(directory.path(), milliseconds{0});
  CHECK(code_of(hasty.take("old", "me")) == "ok");
  CHECK(code_of(patient.take("old", "somebody")) == "conflict");
}

TEST_CASE("a name of the past gives no right to a lock that was taken since") {
  const temporary_directory directory;
  auto locks = locks_in(directory.path(), milliseconds{0});
  REQUIRE(locks.take("a", "first"));
  // Zero expiry: whoever asks evicts the holder, and the holder's file goes with it.
  REQUIRE(locks.take("a", "second"));
  CHECK(code_of(locks.drop("a", "first")) == "conflict");
  REQUIRE(locks.drop("a", "second"));
  CHECK(fs::is_empty(directory.path() / "priv/lock"));
  CHECK(fs::is_empty(directory.path() / "drover/locks"));
}

TEST_CASE("on a pmxcfs the cluster alone drops an expired lock") {
  const temporary_directory directory;
  auto locks = locks_in(directory.path(), milliseconds{0}, directory_kind::replicated);
  REQUIRE(locks.take("a", "first"));
  CHECK(code_of(locks.take("a", "second")) == "conflict");
  // That is what asking the cluster looks like.
  CHECK(
    fs::last_write_time(directory.path() / "priv/lock/a") ==
    fs::file_time_type::clock::from_sys(std::chrono::sys_seconds{}));
  CHECK(code_of(locks.take("a", "first")) == "ok");
  CHECK(
    fs::last_write_time(directory.path() / "priv/lock/a") >
    fs::file_time_type::clock::now() - std::chrono::minutes(5));
  CHECK(code_of(locks.drop("a", "first")) == "ok");
}

TEST_CASE("a lock's name can be no path and a holder must have a name") {
  const temporary_directory directory;
  auto locks = locks_in(directory.path(), milliseconds{120'000});
  for (const char* name : {"", ".", "..", "a/b", "../../x", ".hidden", "a b"}) {
    INFO(name);
    CHECK(code_of(locks.take(name, "me")) == "invalid");
    CHECK(code_of(locks.drop(name, "me")) == "invalid");
  }
  CHECK(code_of(locks.take("a", "")) == "invalid");
  CHECK(code_of(locks.take(std::string(201, 'a'), "me")) == "invalid");
}

TEST_CASE("a lock whose holder was lost in a power failure expires like any other") {
  const temporary_directory directory;
  auto locks = locks_in(directory.path(), milliseconds{0});
  REQUIRE(locks.take("a", "gone"));
  std::ofstream(directory.path() / "drover/locks/a.json", std::ios::trunc).close();
  auto patient = locks_in(directory.path(), milliseconds{120'000});
  CHECK(code_of(patient.take("a", "me")) == "conflict");
  CHECK(code_of(locks.take("a", "me")) == "ok");
  CHECK(code_of(locks.drop("a", "me")) == "ok");
}

TEST_CASE("a holder's file that cannot be read is an error that names it") {
  const temporary_directory directory;
  auto locks = locks_in(directory.path(), milliseconds{120'000});
  REQUIRE(locks.take("a", "me"));
  std::ofstream(directory.path() / "drover/locks/a.json") << "{";
  CHECK(code_of(locks.take("a", "me")) == "invalid");
  CHECK(code_of(locks.read("")) == "invalid");
}

} // namespace drover
