#include "tests/bench/resource_use.hpp"

#include "tests/support/run_program.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace drover::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto look_pause = 10ms;
constexpr auto reap_pause = 5ms;
/// Reading a process' memory costs more than reading its clock.
constexpr unsigned looks_per_peak = 5;
constexpr std::string_view agent_name = "drover-agent";
constexpr std::string_view simulated_agent_name = "memory_agent";
constexpr std::string_view qemu_name = "qemu-system";

std::string text_of(pid_t pid, const std::string& file) {
  // Not by iterators, which throw when a process ends while its file in /proc is read.
  std::ostringstream text;
  text << std::ifstream{"/proc/" + std::to_string(pid) + "/" + file}.rdbuf();
  return text.str();
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> found;
  std::error_code ignored;
  const std::filesystem::path threads = "/proc/" + std::to_string(pid) + "/task";
  // A child stands with the thread that has started it.
  for (const auto& thread : std::filesystem::directory_iterator{threads, ignored}) {
    std::istringstream words{
      text_of(pid, "task/" + thread.path().filename().string() + "/children")};
    for (pid_t child = 0; words >> child;)
      found.push_back(child);
  }
  return found;
}

double seconds_in(const rusage& used) {
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

} // namespace

double processor_seconds(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::uint64_t peak_bytes(pid_t pid) {
  const auto status = text_of(pid, "status");
  const std::string field = "VmHWM:";
  const auto at = status.find(field);
  return at == std::string::npos
           ? 0
           : std::strtoull(status.c_str() + at + field.size(), nullptr, 10) * 1024;
}

double processor_seconds_of_ended_children() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  return seconds_in(used);
}

resource_use::resource_use(pid_t controller, std::vector<pid_t> servers, std::size_t agents)
  : controller_(controller), servers_(std::move(servers)), agents_wanted_(agents) {
  for (const auto server : servers_)
    seen_[server].before_s = processor_seconds(server);
  seen_[controller_] = {};
  looker_ = std::jthread{[this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      look();
      std::this_thread::sleep_for(look_pause);
    }
  }};
}

void resource_use::look() {
  const auto agents = static_cast<std::size_t>(
    std::count_if(seen_.begin(), seen_.end(), [](const auto& one) { return one.second.is_agent; }));
  if (agents < agents_wanted_) {
    find_below(controller_);
    for (const auto server : servers_)
      find_below(server);
  }
  const bool with_peaks = looks_++ % looks_per_peak == 0;
  for (auto& [pid, its] : seen_) {
    // What is gone reads as nothing.
    its.seconds = std::max(its.seconds, processor_seconds(pid) - its.before_s);
    if (with_peaks)
      its.peak_bytes = std::max(its.peak_bytes, peak_bytes(pid));
  }
}

void resource_use::find_below(pid_t pid) {
  for (const auto child : children_of(pid)) {
    const auto name = text_of(child, "comm");
    auto& its = seen_[child];
    // Whoever starts an agent bears its own name until it has become the agent. Below agents nobody
    // is looked for: what they start are QEMUs, which begin with the agent's name.
    its.is_agent =
      its.is_agent || name.starts_with(agent_name) || name.starts_with(simulated_agent_name);
    if (!its.is_agent)
      find_below(child);
  }
}

used_resources resource_use::end() {
  looker_.request_stop();
  looker_.join();
  used_resources all;
  for (const auto& [pid, its] : seen_)
    if (pid == controller_) {
      all.controller_s = std::max(its.seconds, processor_seconds(pid));
      all.controller_bytes = its.peak_bytes;
    } else {
      all.agents_s += its.seconds;
      if (its.is_agent)
        all.agent_bytes = std::max(all.agent_bytes, its.peak_bytes);
    }
  return all;
}

std::map<pid_t, double> qemus_of(const std::string& mark) {
  std::map<pid_t, double> all;
  for (const auto pid : testing::processes_with(mark))
    if (text_of(pid, "comm").starts_with(qemu_name))
      all[pid] = processor_seconds(pid);
  return all;
}

qemu_reaper::qemu_reaper() {
  looker_ = std::jthread{[this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      look();
      std::this_thread::sleep_for(reap_pause);
    }
  }};
}

void qemu_reaper::look() {
  for (const auto child : children_of(::getpid()))
    if (!known_.contains(child) && text_of(child, "comm").starts_with(qemu_name))
      known_.insert(child);
  for (auto one = known_.begin(); one != known_.end();) {
    rusage used{};
    const bool has_ended = ::wait4(*one, nullptr, WNOHANG, &used) == *one;
    if (has_ended)
      seconds_ = seconds_ + seconds_in(used);
    one = has_ended ? known_.erase(one) : std::next(one);
  }
}

qemu_use::qemu_use(std::string mark) : mark_(std::move(mark)), before_(qemus_of(mark_)) {}

double qemu_use::end_s() const {
  double seconds = 0;
  for (const auto& [pid, now] : qemus_of(mark_))
    if (!before_.contains(pid))
      seconds += now;
  // Those that have ended have no command line any more.
  for (const auto& [pid, before] : before_)
    seconds += std::max(0.0, processor_seconds(pid) - before);
  return seconds;
}

} // namespace drover::bench
