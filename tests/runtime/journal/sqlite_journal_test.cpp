#include "runtime/journal/sqlite_journal.hpp"

#include "runtime/journal/run_id.hpp"
#include "runtime/journal/sqlite_statement.hpp"
#include "tests/runtime/journal/journal_samples.hpp"
#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

using namespace drover;
using namespace drover::testing;

namespace {

std::shared_ptr<journal> open_in(const temporary_directory& room) {
  auto opened = open_journal(room.path() / "state" / journal_file_name);
  if (!opened)
    FAIL(to_string(opened.error()));
  return *opened;
}

std::string begun(journal& j, journal_run run, const std::vector<journal_vm>& vms = {}) {
  auto id = j.begin(run.what + "-" + run.node.value, run, vms);
  if (!id)
    FAIL(to_string(id.error()));
  return *id;
}

/// As somebody else would with the file.
void tamper(const temporary_directory& room, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((room.path() / "state" / journal_file_name).c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

} // namespace

TEST_CASE("what was begun is read again, also by another process' eyes", "[contract]") {
  const temporary_directory room;
  auto writer = open_in(room);
  auto stays = some_vm(107, 2);
  stays.result = "left_out";
  stays.reason = "it does not run";
  const auto id = begun(*writer, some_run(), {some_vm(105, 1), some_vm(101, 0), stays});
  CHECK(id == "20261123-083646-evacuate-n1");
  CHECK(begun(*writer, some_run()) == id + "-2");

  auto reader = open_in(room);
  const auto run = reader->run(id);
  REQUIRE(run);
  auto expected = some_run();
  expected.id = id;
  CHECK(*run == expected);
  CHECK(*reader->vms(id) == std::vector<journal_vm>{some_vm(101, 0), some_vm(105, 1), stays});
  CHECK(reader->runs()->size() == 2);
  CHECK(reader->run("last")->id == id + "-2");
}

TEST_CASE("changes replace what was known of a VM, and events follow each other", "[contract]") {
  const temporary_directory room;
  auto j = open_in(room);
  const auto id = begun(*j, some_run(), {some_vm(100)});
  auto moved = some_vm(100);
  moved.phase = "ended";
  moved.result = "moved";
  moved.number = epoch{std::uint64_t{1} << 62};
  moved.pause_s = 0.0021;
  REQUIRE(j->write(
    id, {journal_event{at_s(3), vm_id{100}, "later"}, moved, journal_event{at_s(2), {}, "then"},
         wish_changed{run_wish::pause}, controller_changed{"root@other:9"}}));
  CHECK(*j->vms(id) == std::vector<journal_vm>{moved});
  CHECK(
    *j->events(id) ==
    std::vector<journal_event>{{at_s(3), vm_id{100}, "later"}, {at_s(2), {}, "then"}});
  CHECK(j->run(id)->wish == run_wish::pause);
  CHECK(j->run(id)->controller == "root@other:9");
  CHECK_FALSE(j->run(id)->ended);
  REQUIRE(j->write(id, {run_closed{at_s(9), "some_stayed", 2}}));
  CHECK(j->run(id)->ended == at_s(9));
  CHECK(j->run(id)->exit_code == 2);
}

TEST_CASE(
  "a run that is not there is an error that tells how to find those that are", "[contract]") {
  const temporary_directory room;
  auto j = open_in(room);
  for (const auto* id : {"last", "none", ""}) {
    const auto run = j->run(id);
    REQUIRE_FALSE(run);
    CHECK(run.error().code == errc::invalid);
  }
  CHECK(j->run("none").error().what.find("drover history") != std::string::npos);
  CHECK(j->write("none", {wish_changed{run_wish::pause}}).error().code == errc::invalid);
}

TEST_CASE("the latest ended runs are kept, and every one that has not ended", "[contract]") {
  const temporary_directory room;
  auto j = open_in(room);
  const auto open = begun(*j, some_run(0), {some_vm(100)});
  for (std::size_t i = 1; i <= journal::kept_max + 3; ++i) {
    const auto id = begun(*j, some_run(static_cast<std::int64_t>(i)), {some_vm(100)});
    REQUIRE(j->write(id, {journal_event{at_s(1), {}, "e"}, run_closed{at_s(2), "all_moved", 0}}));
  }
  const auto runs = j->runs();
  REQUIRE(runs);
  CHECK(runs->size() <= journal::kept_max + 1);
  CHECK(runs->front().id == open);
  CHECK(j->events(run_id("evacuate-n1", at_s(1)))->empty());
}

TEST_CASE("only the user may read the journal", "[contract]") {
  const temporary_directory room;
  auto j = open_in(room);
  begun(*j, some_run());
  for (const auto& file : std::filesystem::directory_iterator(room.path() / "state")) {
    struct stat about {};
    REQUIRE(stat(file.path().c_str(), &about) == 0);
    CHECK((about.st_mode & 0077U) == 0);
  }
}

TEST_CASE("two processes write at once, and nothing is lost", "[contract]") {
  const temporary_directory room;
  auto first = open_in(room);
  auto second = open_in(room);
  const auto id = begun(*first, some_run());
  const auto write_many = [&id](journal& j) {
    for (int i = 0; i < 50; ++i)
      if (!j.write(id, {journal_event{at_s(i), {}, "e"}}))
        return false;
    return true;
  };
  bool other = false;
  {
    std::jthread beside{[&] { other = write_many(*second); }};
    CHECK(write_many(*first));
  }
  CHECK(other);
  CHECK(first->events(id)->size() == 100);
}

TEST_CASE("two that make the journal at the same moment make one", "[contract]") {
  const temporary_directory room;
  for (int round = 0; round < 50; ++round) {
    const auto file = room.path() / std::to_string(round) / journal_file_name;
    std::string one;
    std::string other;
    const auto open = [&file](std::string& failure) {
      const auto made = open_journal(file);
      failure = made ? "" : to_string(made.error());
    };
    {
      std::jthread a{[&] { open(one); }};
      std::jthread b{[&] { open(other); }};
    }
    CHECK(one == "");
    CHECK(other == "");
  }
}

TEST_CASE("a file that is no journal is named and left as it is", "[contract]") {
  const temporary_directory room;
  std::filesystem::create_directories(room.path() / "state");
  const auto file = room.path() / "state" / journal_file_name;
  const std::string text(4096, 'x');
  std::ofstream{file} << text;
  const auto opened = open_journal(file);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::invalid);
  CHECK(opened.error().context == file.string());
  CHECK(opened.error().what.find("move it away") != std::string::npos);
  std::ifstream again{file};
  CHECK(std::string{std::istreambuf_iterator<char>{again}, {}} == text);
}

TEST_CASE("another program's database, and a newer drover's, are left alone", "[contract]") {
  const temporary_directory room;
  std::filesystem::create_directories(room.path() / "state");
  tamper(room, "CREATE TABLE runs(mine TEXT)");
  const auto foreign = open_journal(room.path() / "state" / journal_file_name);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().what.find("another program") != std::string::npos);

  const temporary_directory next;
  open_in(next);
  tamper(next, "PRAGMA user_version=7");
  const auto newer = open_journal(next.path() / "state" / journal_file_name);
  REQUIRE_FALSE(newer);
  CHECK(newer.error().what.find("newer drover") != std::string::npos);
}

TEST_CASE("a journal that was broken inside is an error, not a crash", "[contract]") {
  const temporary_directory room;
  {
    auto j = open_in(room);
    begun(*j, some_run(), {some_vm(100)});
  }
  tamper(room, "DROP TABLE vms");
  auto j = open_in(room);
  const auto vms = j->vms("20261123-083646-evacuate-n1");
  REQUIRE_FALSE(vms);
  CHECK(vms.error().code == errc::invalid);
  tamper(room, "UPDATE runs SET wish = 'sing'");
  CHECK_FALSE(j->run("last"));
  // The pages themselves.
  j.reset();
  const auto file = room.path() / "state" / journal_file_name;
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  auto torn = open_journal(file);
  CHECK((!torn || !(*torn)->runs() || !(*torn)->write("x", {})));
}

TEST_CASE("a journal that has no more room refuses, is whole, and goes on later", "[contract]") {
  const temporary_directory room;
  auto j = open_in(room);
  const auto id = begun(*j, some_run(), {some_vm(100)});
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  // A file of this process may not grow: what a full disk is to the one who writes.
  const rlimit none{1, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  auto moved = some_vm(100);
  moved.result = "moved";
  const auto refused = j->write(id, {moved, journal_event{at_s(1), {}, std::string(50'000, 'x')}});
  const auto nothing_new = j->begin("evacuate-n2", some_run(), {});
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK_FALSE(nothing_new);
  CHECK(*j->vms(id) == std::vector<journal_vm>{some_vm(100)});
  CHECK(j->events(id)->empty());
  CHECK(j->write(id, {moved}));
  CHECK(*j->vms(id) == std::vector<journal_vm>{moved});
}

TEST_CASE("a journal that has no place is an error that names it", "[contract]") {
  const temporary_directory room;
  std::ofstream{room.path() / "file"} << "a file";
  for (const auto& file : {room.path() / "file/journal.sqlite", room.path() / "."}) {
    const auto opened = open_journal(file);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == errc::refused);
    CHECK(opened.error().context.find(room.path().string()) != std::string::npos);
  }
}
