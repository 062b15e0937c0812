#include "runtime/hypervisor/urgency.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sched.h>
#include <string>
#include <thread>
#include <unistd.h>

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

/// The lowest share that a session can be given; also the mark that it was this file's doing.
constexpr int session_nice_low = 19;
constexpr int session_nice_usual = 0;

std::string session_file(const std::string& pid) { return "/proc/" + pid + "/autogroup"; }

/// From "/autogroup-25 nice 0"; nullopt where sessions have no share of their own.
std::optional<int> nice_of_session(const std::string& pid) {
  std::ifstream file{session_file(pid)};
  std::string name;
  std::string word;
  int nice = 0;
  return file >> name >> word >> nice ? std::optional{nice} : std::nullopt;
}

bool set_nice_of_session(const std::string& pid, int nice) {
  std::ofstream file{session_file(pid)};
  return static_cast<bool>(file << nice << std::flush);
}

/// Without CAP_SYS_ADMIN the kernel takes ten of these a second from all of its users together, and
/// one that it did not take would leave a VM low. Tried out with what stands already, and on the
/// process's own session: this program's may be one that has no share, as below an init that
/// started it without one.
bool session_can_be_raised(const std::string& pid) {
  return nice_of_session(pid) == session_nice_usual &&
         set_nice_of_session(pid, session_nice_usual) &&
         set_nice_of_session(pid, session_nice_usual);
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

urgency let_others_go_first(pid_t pid) {
  if (!can_be_taken_back())
    return urgency::usual;
  set_policy(pid, SCHED_IDLE);
  const auto process = std::to_string(pid);
  const bool leads = ::getsid(pid) == pid;
  if (leads && session_can_be_raised(process))
    set_nice_of_session(process, session_nice_low);
  return urgency::low;
}

void run_as_usual(pid_t pid) {
  const auto tasks = "/proc/" + std::to_string(pid) + "/task";
  for (int i = 0; i < rounds_most && raise_threads(tasks); ++i)
    continue;
  if (const auto process = std::to_string(pid); nice_of_session(process) == session_nice_low)
    set_nice_of_session(process, session_nice_usual);
}

} // namespace drover
