// Several processes on one directory: nothing but the directory orders them.
#include "runtime/base/check.hpp"
#include "runtime/store/lagging_files.hpp"
#include "runtime/store/pmxcfs_files.hpp"
#include "tests/contracts/store_rig.hpp"

#include <algorithm>
#include <array>
#include <sys/wait.h>
#include <unistd.h>

namespace drover {
namespace {

using contracts::temporary_directory;

constexpr std::uint32_t rounds = 60;
constexpr std::size_t processes = 3;

node_id node_of(std::size_t process) { return node_id{"n" + std::to_string(process + 1)}; }

template <class Files>
Files files_of(const std::filesystem::path& directory, std::size_t process) {
  typename Files::options_type options;
  options.directory = directory;
  options.node = node_of(process);
  auto files = Files::open(options);
  DROVER_CHECK(files.has_value(), "the test's directory can be opened");
  return std::move(*files);
}

char mark_of(const result<done>& answer) {
  if (answer)
    return 'w';
  return answer.error().code == errc::conflict ? 'c' : '!';
}

/// Children start when the start pipe is closed, and write one mark per round.
struct child {
  pid_t pid = -1;
  int marks = -1;
};

/// What each process got in each round: 'w' won, 'c' conflict, '!' anything else.
template <class Files>
using round_of = std::function<result<done>(Files&, std::size_t process, std::uint32_t)>;

template <class Files>
std::vector<std::string> race(
  const std::filesystem::path& directory, const round_of<Files>& round) {
  std::array<int, 2> start{};
  REQUIRE(::pipe(start.data()) == 0);
  std::vector<child> children;
  for (std::size_t process = 0; process < processes; ++process) {
    std::array<int, 2> marks{};
    REQUIRE(::pipe(marks.data()) == 0);
    const auto pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      ::close(start[1]);
      char none = 0;
      auto failed = ::read(start[0], &none, 1) != 0;
      auto files = files_of<Files>(directory, process);
      for (std::uint32_t i = 0; i < rounds; ++i) {
        const char mark = mark_of(round(files, process, i));
        failed |= ::write(marks[1], &mark, 1) != 1;
      }
      ::_exit(failed ? 1 : 0);
    }
    ::close(marks[1]);
    children.push_back({pid, marks[0]});
  }
  ::close(start[0]);
  ::close(start[1]);
  std::vector<std::string> out;
  for (const auto& one : children) {
    std::string marks;
    for (char mark = 0; ::read(one.marks, &mark, 1) == 1;)
      marks += mark;
    ::close(one.marks);
    int status = -1;
    ::waitpid(one.pid, &status, 0);
    CHECK(status == 0);
    CHECK(marks.size() == rounds);
    out.push_back(marks);
  }
  return out;
}

/// In each round exactly one process won and all others were told so.
void check_one_winner(const std::vector<std::string>& marks) {
  for (std::uint32_t i = 0; i < rounds; ++i) {
    std::string all;
    for (const auto& of_process : marks)
      all += of_process.at(i);
    INFO("round " << i << ": " << all);
    CHECK(std::count(all.begin(), all.end(), 'w') == 1);
    CHECK(std::count(all.begin(), all.end(), 'c') == static_cast<int>(processes) - 1);
  }
}

} // namespace

TEMPLATE_TEST_CASE(
  "of several processes that create the same VM, one wins", "", pmxcfs_files, lagging_files) {
  const temporary_directory directory;
  check_one_winner(
    race<TestType>(directory.path(), [](TestType& files, std::size_t process, std::uint32_t i) {
      return files.create_config(vm_id{100 + i}, node_of(process), "name: a\n");
    }));
  CHECK(files_of<TestType>(directory.path(), 0).read_places()->size() == rounds);
}

TEMPLATE_TEST_CASE(
  "of several processes that move the same VM, one wins", "", pmxcfs_files, lagging_files) {
  const temporary_directory directory;
  const node_id source{"source"};
  auto files = files_of<TestType>(directory.path(), 0);
  for (std::uint32_t i = 0; i < rounds; ++i)
    REQUIRE(files.create_config(vm_id{100 + i}, source, "name: a\n"));
  check_one_winner(
    race<TestType>(directory.path(), [&](TestType& own, std::size_t process, std::uint32_t i) {
      return own.move_config(vm_id{100 + i}, source, node_of(process));
    }));
  CHECK(files.read_places()->size() == rounds);
}

TEMPLATE_TEST_CASE(
  "of several processes that begin the same epoch, one wins", "", pmxcfs_files, lagging_files) {
  const temporary_directory directory;
  check_one_winner(
    race<TestType>(directory.path(), [](TestType& files, std::size_t process, std::uint32_t i) {
      return files.write_record(
        {vm_id{100}, epoch{i + 1}, record_state::moving, node_id{"source"}, node_of(process),
         policy::ticket, "c", source_outcome::unpublished});
    }));
}

TEMPLATE_TEST_CASE(
  "of several processes that take the same lock, one wins", "", pmxcfs_files, lagging_files) {
  const temporary_directory directory;
  check_one_winner(
    race<TestType>(directory.path(), [](TestType& files, std::size_t process, std::uint32_t i) {
      return files.take_lock("lock-" + std::to_string(i), "process " + std::to_string(process));
    }));
}

} // namespace drover
