// What a process link adds to the contract: how the child is set up, how its end reads, and that it
// is always reaped.
#include "runtime/link/process_link.hpp"

#include "runtime/link/child_process.hpp"
#include "tests/contracts/link_contract.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace drover;
using contracts::link_listener;
using contracts::longest_link_wait;

/// A log file of this process that is gone when the test is.
struct scratch_log {
  std::string path = std::filesystem::temp_directory_path() /
                     ("drover-link-test-" + std::to_string(::getpid()) + ".log");
  ~scratch_log() { std::filesystem::remove(path); }
};

struct rig {
  explicit rig(process_link_settings s = {}) {
    if (s.argv.empty())
      s.argv = {ECHO_AGENT};
    way = std::make_shared<process_link>(loop, std::move(s));
    way->open(heard.events());
  }
  std::shared_ptr<link_loop> loop = std::make_shared<link_loop>();
  link_listener heard{{}};
  std::shared_ptr<process_link> way;

  error end_of(const std::string& order) {
    REQUIRE(heard.wait_opened());
    way->send(order);
    REQUIRE(heard.wait_closed());
    return heard.last_reason();
  }
};

/// Waits until there is no such process, not even an unreaped one.
bool wait_gone(pid_t pid) {
  const auto limit = monotonic_now() + longest_link_wait;
  while (monotonic_now() < limit) {
    if (::kill(pid, 0) != 0 && errno == ESRCH)
      return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace

TEST_CASE("the end of an agent reads like this") {
  scratch_log log;
  process_link_settings settings;
  settings.log_path = log.path;
  const std::vector<std::pair<const char*, error>> rows{
    {"!exit 3", {errc::lost, "the agent exited with status 3", ""}},
    {"!exit 0", {errc::lost, "the agent exited with status 0", ""}},
    {"!die", {errc::lost, "the agent was killed by signal 9 (Killed)", ""}},
    {"!half x", {errc::lost, "the agent exited with status 0 in the middle of a line", ""}},
    {"!nul", {errc::invalid, "a line with a NUL byte", ""}},
  };
  for (const auto& [order, reason] : rows) {
    CAPTURE(order);
    rig r(settings);
    CHECK(r.end_of(order) == reason);
  }
}

TEST_CASE("the last words of an agent on its stderr are in the reason") {
  scratch_log log;
  std::ofstream(log.path) << "of an earlier run\n";
  process_link_settings settings;
  settings.log_path = log.path;
  {
    rig r(settings);
    CHECK(r.end_of("!exit 1").context.empty());
  }
  rig r(settings);
  REQUIRE(r.heard.wait_opened());
  r.way->send("!complain first");
  r.way->send("!complain cannot open /run/drover\x1b[0m");
  CHECK(r.end_of("!exit 1").context == "cannot open /run/drover?[0m");
}

TEST_CASE("a very long last line of the log is cut short") {
  scratch_log log;
  process_link_settings settings;
  settings.log_path = log.path;
  rig r(settings);
  REQUIRE(r.heard.wait_opened());
  r.way->send("!complain " + std::string(10000, 'x'));
  CHECK(r.end_of("!exit 1").context == std::string(200, 'x'));
}

TEST_CASE("a command that cannot be started is told by closed") {
  for (const auto& [argv, what] : std::vector<std::pair<std::vector<std::string>, std::string>>{
         {{"/nonexistent/drover-agent"}, "cannot start: No such file or directory"},
         {{"/etc/passwd"}, "cannot start: Permission denied"},
         {{""}, "no command to start"}}) {
    process_link_settings settings;
    settings.argv = argv;
    rig r(settings);
    REQUIRE(r.heard.wait_closed());
    CHECK(r.heard.last_reason().what == what);
    CHECK(r.way->pid() == 0);
  }
  process_link_settings settings;
  settings.log_path = "/nonexistent/agent.log";
  rig r(settings);
  REQUIRE(r.heard.wait_closed());
  CHECK(r.heard.last_reason().what == "cannot open the log: No such file or directory");
}

TEST_CASE("the agent has a session of its own and nothing of ours but three descriptors") {
  struct sigaction before {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  rig r;
  REQUIRE(r.heard.wait_opened());
  ::sigaction(SIGPIPE, &before, nullptr);
  r.way->send("!surroundings");
  REQUIRE(r.heard.wait_lines(1));
  CHECK(r.heard.lines()[0] == "own_session fds=0,1,2,");
  r.way->close();
  CHECK(r.heard.wait_closed());
}

TEST_CASE("a killed agent is told, reaped, and replaced by the next open") {
  rig r;
  for (std::size_t times = 1; times <= 5; ++times) {
    REQUIRE(r.heard.wait_opened(times));
    const auto pid = r.way->pid();
    REQUIRE(pid > 0);
    ::kill(pid, SIGKILL);
    REQUIRE(r.heard.wait_closed(times));
    CHECK(r.heard.last_reason().what == "the agent was killed by signal 9 (Killed)");
    CHECK(wait_gone(pid));
    r.way->open(r.heard.events());
  }
  REQUIRE(r.heard.wait_opened(6));
  r.way->close();
  CHECK(r.heard.wait_closed(6));
}

TEST_CASE("an agent that ignores the end of its input is left behind, and ended much later") {
  process_link_settings settings;
  settings.close_wait = milliseconds(50);
  settings.term_after = milliseconds(200);
  settings.kill_after = milliseconds(400);
  rig r(settings);
  REQUIRE(r.heard.wait_opened());
  const auto pid = r.way->pid();
  SECTION("SIGTERM ends it") {}
  SECTION("SIGKILL ends it when it is stopped") { ::kill(pid, SIGSTOP); }
  r.way->send("!outlive_input");
  r.way->close();
  REQUIRE(r.heard.wait_closed());
  CHECK(r.way->pid() == 0);
  CHECK(::kill(pid, 0) == 0); // not yet: its work is not cut short
  r.way->open(r.heard.events());
  REQUIRE(r.heard.wait_opened(2));
  CHECK(r.way->pid() != pid);
  CHECK(wait_gone(pid));
  r.way->close();
  CHECK(r.heard.wait_closed(2));
}

TEST_CASE("an agent that closes one end of the link loses the link") {
  process_link_settings settings;
  settings.term_after = milliseconds(1);
  settings.kill_after = milliseconds(2);
  rig r(settings);
  REQUIRE(r.heard.wait_opened());
  const auto pid = r.way->pid();
  SECTION("its output, and then it exits") {
    // The closed input makes it exit in time for its status.
    CHECK(r.end_of("!close_output").what == "the agent exited with status 0");
  }
  SECTION("its output, and it goes on") {
    r.way->send("!outlive_input");
    CHECK(r.end_of("!close_output").what == "the agent closed its output");
  }
  SECTION("its input, and it goes on") {
    r.way->send("!close_input");
    const auto limit = monotonic_now() + longest_link_wait;
    while (r.heard.closed_count() == 0 && monotonic_now() < limit) {
      r.way->send("is anybody there");
      std::this_thread::sleep_for(milliseconds(5));
    }
    REQUIRE(r.heard.wait_closed());
    CHECK(r.heard.last_reason().what == "the agent closed its input");
  }
  CHECK(wait_gone(pid));
}

TEST_CASE("opening and closing leaves no descriptor and no process behind") {
  rig r;
  REQUIRE(r.heard.wait_opened());
  r.way->close();
  REQUIRE(r.heard.wait_closed());
  const auto before = open_descriptors();
  for (std::size_t times = 2; times <= 20; ++times) {
    r.way->open(r.heard.events());
    REQUIRE(r.heard.wait_opened(times));
    const auto pid = r.way->pid();
    r.way->close();
    REQUIRE(r.heard.wait_closed(times));
    CHECK(r.heard.last_reason().what == "the link was closed");
    CHECK(wait_gone(pid));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("the loop may be given up before its links") {
  link_listener heard{{}};
  std::shared_ptr<process_link> way;
  {
    process_link_settings settings;
    settings.argv = {ECHO_AGENT};
    way = std::make_shared<process_link>(std::make_shared<link_loop>(), settings);
  }
  way->open(heard.events());
  REQUIRE(heard.wait_opened());
  const auto pid = way->pid();
  way.reset();
  // Whether the loop has still reaped it or nobody is left to do so: its input has ended, and so
  // has it.
  siginfo_t ended{};
  const int reaped = ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED);
  CHECK((reaped == 0 || errno == ECHILD));
  CHECK(wait_gone(pid));
}

TEST_CASE("a line that no link can carry closes it instead of being cut up") {
  rig r;
  REQUIRE(r.heard.wait_opened());
  SECTION("too long") { r.way->send(std::string(line_bytes_max + 1, 'x')); }
  SECTION("two lines") { r.way->send("one\ntwo"); }
  REQUIRE(r.heard.wait_closed());
  CHECK(r.heard.last_reason().code == errc::bug);
  CHECK(r.heard.lines().empty());
}
