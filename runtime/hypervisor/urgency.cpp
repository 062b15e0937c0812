#include "runtime/hypervisor/urgency.hpp"

#include <charconv>
#include <filesystem>
#include <sched.h>
#include <string>
#include <thread>

namespace drover {
namespace {

/// A thread that is not raised yet may start another one meanwhile, which is as low as itself.
constexpr int rounds_most = 16;

bool set_policy(pid_t thread, int policy) {
  const sched_param none{};
  return ::sched_setscheduler(thread, policy, &none) == 0;
}

/// Tried out, because who may do it depends on more than the user: on a thread of its own, which
/// would have to stay low where it may not.
bool can_be_taken_back() {
  static const bool can = [] {
    bool raised = false;
    std::thread([&raised] {
      raised = set_policy(0, SCHED_IDLE) && set_policy(0, SCHED_OTHER);
    }).join();
    return raised;
  }();
  return can;
}

/// False when no thread of the process had to be raised.
bool raise_threads(const std::string& tasks) {
  bool raised = false;
  std::error_code gone;
  for (std::filesystem::directory_iterator at{tasks, gone}, end; !gone && at != end;
       at.increment(gone)) {
    const auto name = at->path().filename().string();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    if (thread > 0 && ::sched_getscheduler(thread) == SCHED_IDLE)
      raised = set_policy(thread, SCHED_OTHER) || raised;
  }
  return raised;
}

} // namespace

void let_others_go_first(pid_t pid) {
  if (can_be_taken_back())
    set_policy(pid, SCHED_IDLE);
}

void run_as_usual(pid_t pid) {
  const auto tasks = "/proc/" + std::to_string(pid) + "/task";
  for (int i = 0; i < rounds_most && raise_threads(tasks); ++i)
    continue;
}

} // namespace drover
