// On a process of the test's own; where nobody may raise it again, nothing is lowered.
#include "runtime/hypervisor/spawn.hpp"
#include "runtime/hypervisor/urgency.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <sched.h>
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
  bool is_low() const { return ::sched_getscheduler(pid) == SCHED_IDLE; }
};

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

TEST_CASE("a process that has ended is no trouble", "[urgency]") {
  pid_t gone = 0;
  {
    const sleeper process;
    gone = process.pid;
  }
  let_others_go_first(gone);
  run_as_usual(gone);
}
