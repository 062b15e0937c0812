#include "runtime/agent/file_mark_store.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace drover;

namespace {

class temporary_directory {
public:
  temporary_directory() {
    char name[] = "/tmp/drover-marks-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~temporary_directory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace

TEST_CASE("marks are read back as they were written, and other files are left alone", "[marks]") {
  temporary_directory dir;
  file_mark_store store{dir.path()};
  run_marks marks{epoch{3}, epoch{2}, epoch{4}, epoch{4}, epoch{1}, epoch{2}, epoch{3}};
  marks.target = node_id{"n2"};
  marks.target_boot_id = "boot \"7\"";
  marks.how = policy::claim;
  marks.settled = epoch{2};
  marks.undone = epoch{1};
  marks.begun = epoch{4};
  marks.kept = epoch{1};
  REQUIRE(store.save(vm_id{105}, marks));
  REQUIRE(store.save(vm_id{105}, marks));
  std::ofstream{dir.path() / "105.pid"} << "1";
  std::ofstream{dir.path() / "x.epoch"} << "1";
  const auto all = store.load();
  REQUIRE(all);
  REQUIRE(all->size() == 1);
  CHECK(all->at(vm_id{105}) == marks);
}

TEST_CASE("a mark that changes is written over its file, whatever its number", "[marks]") {
  temporary_directory dir;
  file_mark_store store{dir.path()};
  const auto file = dir.path() / "105.epoch";
  run_marks marks;
  marks.target_boot_id = "boot";
  const auto inode = [&file] {
    struct stat is {};
    REQUIRE(::stat(file.c_str(), &is) == 0);
    return is.st_ino;
  };
  REQUIRE(store.save(vm_id{105}, marks));
  const auto first = inode();
  const std::ifstream held{file}; // Its inode would be given to the next file.
  for (const std::uint64_t number : {1ULL, 10ULL, 9ULL, 9'999'999'999ULL}) {
    marks.run = marks.seen = epoch{number};
    REQUIRE(store.save(vm_id{105}, marks));
    CHECK(store.load()->at(vm_id{105}) == marks);
    CHECK(inode() == first);
  }
  // Beyond its place, or with other words, the file is another one.
  marks.run = epoch{std::numeric_limits<std::uint64_t>::max()};
  REQUIRE(store.save(vm_id{105}, marks));
  CHECK(store.load()->at(vm_id{105}) == marks);
  marks.target_boot_id = "toob";
  REQUIRE(store.save(vm_id{105}, marks));
  CHECK(store.load()->at(vm_id{105}) == marks);
  CHECK(inode() != first);
}

TEST_CASE("who reads a mark file while it changes finds a whole one", "[marks]") {
  temporary_directory dir;
  file_mark_store store{dir.path()};
  REQUIRE(store.save(vm_id{105}, {}));
  std::jthread writer{[&store](const std::stop_token& stop) {
    for (std::uint64_t number = 1; !stop.stop_requested(); ++number) {
      run_marks marks;
      marks.run = marks.seen = epoch{number};
      static_cast<void>(store.save(vm_id{105}, marks));
    }
  }};
  for (int i = 0; i < 2000; ++i)
    REQUIRE(file_mark_store{dir.path()}.load());
}

TEST_CASE("a broken mark file is named, since a lost mark is a lost fence", "[marks]") {
  temporary_directory dir;
  for (const auto* text :
       {"", "{", "[]", R"({"run":1})",
        R"({"run":-1,"voided":0,"seen":0,"barrier":0,"paused":0})"}) {
    std::ofstream{dir.path() / "105.epoch"} << text;
    const auto all = file_mark_store{dir.path()}.load();
    REQUIRE(!all);
    CHECK(all.error().code == errc::invalid);
    CHECK(all.error().context.find("105.epoch") != std::string::npos);
  }
}

TEST_CASE("a mark file of an agent that did not know `early` is read", "[marks]") {
  temporary_directory dir;
  std::ofstream{dir.path() / "105.epoch"}
    << R"({"run":1,"voided":2,"seen":3,"barrier":4,"paused":5})";
  const auto all = file_mark_store{dir.path()}.load();
  REQUIRE(all);
  CHECK(all->at(vm_id{105}) == run_marks{epoch{1}, epoch{2}, epoch{3}, epoch{4}, epoch{5}, {}, {}});
}

TEST_CASE("marks that are forgotten are gone for the next agent, too", "[marks]") {
  temporary_directory dir;
  file_mark_store store{dir.path()};
  REQUIRE(store.save(vm_id{105}, {}));
  REQUIRE(store.save(vm_id{106}, {}));
  CHECK(store.forget(vm_id{105}));
  CHECK(store.forget(vm_id{105}));
  const auto left = store.load();
  REQUIRE(left);
  CHECK(left->size() == 1);
  CHECK(left->contains(vm_id{106}));
}

TEST_CASE("a directory that is not there is an error, not an empty one", "[marks]") {
  CHECK_FALSE(file_mark_store{"/nonexistent/drover"}.load());
  CHECK_FALSE(file_mark_store{"/nonexistent/drover"}.save(vm_id{1}, {}));
}
