#include "tests/bench/interruption.hpp"

#include "tests/support/run_program.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace drover::bench {

namespace {

struct notes {
  std::mutex mutex;
  std::set<std::filesystem::path> directories;
};

/// Never destroyed: the thread below may look at it while the process ends.
notes& all_notes() {
  static auto* all = new notes;
  return *all;
}

std::array<int, 2> interruption_pipe{-1, -1};

void pass_on(int number) {
  const auto byte = static_cast<char>(number);
  static_cast<void>(!::write(interruption_pipe[1], &byte, 1));
}

void end_processes_of(const std::filesystem::path& directory) {
  // By its last part, which stands in the names of libvirt's domains too. Some start others until
  // they are gone.
  for (int round = 0; round < 100; ++round) {
    const auto left = testing::processes_with(directory.filename().string());
    if (left.empty())
      return;
    for (const auto pid : left)
      ::kill(pid, SIGKILL);
    ::usleep(10'000);
  }
}

void end_all() {
  char number = 0;
  if (::read(interruption_pipe[0], &number, 1) != 1)
    return;
  const std::lock_guard guard{all_notes().mutex};
  for (const auto& directory : all_notes().directories) {
    end_processes_of(directory);
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }
  ::_exit(128 + number);
}

} // namespace

void end_all_when_interrupted() {
  if (::pipe2(interruption_pipe.data(), O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipe"};
  std::thread{end_all}.detach();
  // Handlers are not handed down to programs that are started, a blocked signal would be.
  std::signal(SIGINT, pass_on);
  std::signal(SIGTERM, pass_on);
}

noted_directory::noted_directory(std::filesystem::path path) : path_(std::move(path)) {
  const std::lock_guard guard{all_notes().mutex};
  all_notes().directories.insert(path_);
}

noted_directory::~noted_directory() {
  const std::lock_guard guard{all_notes().mutex};
  all_notes().directories.erase(path_);
}

} // namespace drover::bench
