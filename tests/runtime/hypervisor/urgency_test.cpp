// On a process of the test's own; where nobody may raise it again, nothing is lowered.
#include "runtime/hypervisor/spawn.hpp"
#include "runtime/hypervisor/urgency.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace drover;

namespace {

struct sleeper {
  pid_t pid = spawn({{"sleep", "60"}, -1, -1, -1, {}}).value();
  ~sleeper() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  std::string session() const {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/autogroup"};
    std::string line;
    std::getline(file, line);
    return line.substr(std::min(line.size(), line.find(' ')));
  }
  bool is_low() const { return ::sched_getscheduler(pid) == SCHED_IDLE; }
};

/// Three at once, which the kernel takes from nobody without CAP_SYS_ADMIN.
bool may_change_sessions() {
  const sleeper other;
  bool taken = true;
  for (int i = 0; i < 3; ++i) {
    std::ofstream file{"/proc/" + std::to_string(other.pid) + "/autogroup"};
    file << 0 << std::flush;
    taken = taken && file.good();
  }
  return taken;
}

/// As root, or with the right to.
bool may_raise() {
  const sched_param none{};
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(
      ::sched_setscheduler(0, SCHED_IDLE, &none) == 0 &&
          ::sched_setscheduler(0, SCHED_OTHER, &none) == 0
        ? 0
        : 1);
  int status = 1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

} // namespace

TEST_CASE("a process lets others go first until it is as any other again", "[urgency]") {
  const sleeper process;
  let_others_go_first(process.pid);
  CHECK(process.is_low() == may_raise());
  run_as_usual(process.pid);
  CHECK_FALSE(process.is_low());
  run_as_usual(process.pid);
  CHECK_FALSE(process.is_low());
}

TEST_CASE("its session goes last too where sessions share the processor", "[urgency]") {
  const sleeper process;
  const auto before = process.session();
  if (before.empty())
    return; // This kernel shares it between threads alone.
  CHECK(before == " nice 0");
  let_others_go_first(process.pid);
  const bool low = may_raise() && may_change_sessions();
  CHECK(process.session() == (low ? " nice 19" : " nice 0"));
  run_as_usual(process.pid);
  CHECK(process.session() == " nice 0");
}

TEST_CASE("the session of another process stays as it is", "[urgency]") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  std::ifstream before{"/proc/self/autogroup"};
  std::ostringstream was;
  was << before.rdbuf();
  let_others_go_first(child);
  std::ifstream after{"/proc/self/autogroup"};
  std::ostringstream is;
  is << after.rdbuf();
  CHECK(is.str() == was.str());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("a process that has ended is no trouble", "[urgency]") {
  pid_t gone = 0;
  {
    const sleeper process;
    gone = process.pid;
  }
  let_others_go_first(gone);
  run_as_usual(gone);
}
