#include "tests/bench/processor_time.hpp"

#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <unistd.h>

namespace drover::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto look_pause = 10ms;

std::string text_of(pid_t pid, const std::string& file) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/" + file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

processor_time::processor_time(pid_t pid)
  : looker_([this, pid](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        look(pid);
        std::this_thread::sleep_for(look_pause);
      }
    }) {}

void processor_time::look(pid_t pid) {
  const auto stat = text_of(pid, "stat");
  // proc(5): the name in brackets may hold blanks; user and system time are the fields 14 and 15.
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos)
    return;
  std::istringstream rest{stat.substr(name_end + 2)};
  std::string skipped;
  for (int field = 3; field < 14; ++field)
    rest >> skipped;
  long user = 0;
  long system = 0;
  if (rest >> user >> system)
    ticks_[pid] = user + system;
  std::istringstream children{text_of(pid, "task/" + std::to_string(pid) + "/children")};
  for (pid_t child = 0; children >> child;)
    if (text_of(child, "comm").rfind("drover-agent", 0) == 0)
      look(child);
}

double processor_time::end_s() {
  looker_.request_stop();
  looker_.join();
  long all = 0;
  for (const auto& [pid, ticks] : ticks_)
    all += ticks;
  return static_cast<double>(all) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

} // namespace drover::bench
