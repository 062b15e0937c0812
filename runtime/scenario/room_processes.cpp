#include "runtime/scenario/room_processes.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace drover {
namespace {

constexpr int rounds_max = 500;
constexpr std::chrono::milliseconds round_pause{10};

/// Empty when the process ends meanwhile: reading its file fails then, and of all ways to read it
/// an iterator would throw.
std::string command_line_of(const std::filesystem::path& proc) {
  std::ifstream file{proc / "cmdline", std::ios::binary};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::vector<pid_t> processes_of(const std::filesystem::path& room) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (std::filesystem::directory_iterator at("/proc", ignored), last; at != last;
       at.increment(ignored)) {
    const auto& entry = *at;
    const auto name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (problem != std::errc{} || *end != '\0' || pid == getpid())
      continue;
    if (command_line_of(entry.path()).find(room.string()) != std::string::npos)
      found.push_back(pid);
  }
  return found;
}

std::optional<pid_t> process_running(
  const std::filesystem::path& program, const std::string& text) {
  std::optional<pid_t> newest;
  std::error_code ignored;
  for (const auto pid : processes_of(text))
    if (std::filesystem::equivalent("/proc/" + std::to_string(pid) + "/exe", program, ignored))
      newest = std::max(newest.value_or(0), pid);
  return newest;
}

std::vector<pid_t> end_processes_of(const std::filesystem::path& room) {
  std::vector<pid_t> left = processes_of(room);
  for (int round = 0; round < rounds_max && !left.empty(); ++round) {
    for (const auto pid : left)
      kill(pid, SIGKILL);
    std::this_thread::sleep_for(round_pause);
    for (const auto pid : left)
      waitpid(pid, nullptr, WNOHANG);
    left = processes_of(room);
  }
  // The dead that were adopted from killed agents.
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return left;
}

} // namespace drover
