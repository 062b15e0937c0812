#include "runtime/program/process_lock.hpp"

#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace drover;
using namespace drover::testing;

TEST_CASE("a lock has one holder, and says who", "[contract]") {
  const temporary_directory room;
  const auto file = room.path() / "running/x.lock";
  CHECK_FALSE(process_lock::holder(file));
  {
    auto lock = process_lock::take(file, "root@host:12");
    REQUIRE(lock);
    CHECK(process_lock::holder(file) == "root@host:12");
    lock->sign("me");
    CHECK(process_lock::holder(file) == "me");
    const auto other = process_lock::take(file, "late");
    REQUIRE_FALSE(other);
    CHECK(other.error().code == errc::conflict);
    CHECK(other.error().context == "me");
    struct stat about {};
    REQUIRE(stat(file.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777U) == 0600);
  }
  CHECK_FALSE(process_lock::holder(file));
  CHECK(process_lock::take(file, "again"));
}

TEST_CASE("a lock is free the moment its holder is killed", "[contract]") {
  const temporary_directory room;
  const auto file = room.path() / "x.lock";
  const auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto lock = process_lock::take(file, "child");
    pause();
    _exit(lock ? 0 : 1);
  }
  while (!process_lock::holder(file))
    usleep(1000);
  CHECK(process_lock::holder(file) == "child");
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(process_lock::take(file, "next"));
}

TEST_CASE("who has not signed yet is not taken for the last holder", "[contract]") {
  const temporary_directory room;
  const auto file = room.path() / "x.lock";
  REQUIRE(process_lock::take(file, "the last run"));
  const unique_fd next(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(next);
  REQUIRE(::flock(next.get(), LOCK_EX | LOCK_NB) == 0);
  const auto late = process_lock::take(file, "late");
  REQUIRE_FALSE(late);
  CHECK(late.error().context.empty());
}

TEST_CASE("a lock that has no place is an error that names it", "[contract]") {
  const auto lock = process_lock::take("/proc/none/x.lock", "me");
  REQUIRE_FALSE(lock);
  CHECK(lock.error().code == errc::refused);
  CHECK(lock.error().context == "/proc/none/x.lock");
}
