// What only the QEMU driver has: processes, files, binaries, the rescue socket.
#include "runtime/hypervisor/qemu_hypervisor.hpp"

#include "runtime/hypervisor/machine_process.hpp"
#include "runtime/hypervisor/spawn.hpp"
#include "tests/contracts/hypervisor_calls.hpp"
#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <poll.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

namespace drover {

namespace {

namespace fs = std::filesystem;
using contracts::code_of;
using contracts::qemu_rig;
using contracts::side;
using wire::run_state;

struct node : contracts::hypervisor_calls {
  node() : hypervisor_calls(std::make_unique<qemu_rig>()) {}
  qemu_rig& qemu() { return static_cast<qemu_rig&>(rig()); }
  run_files files(side which) { return {qemu().settings(which).run_dir, vm}; }
  pid_t pid(side which) { return files(which).read_pid(); }
};

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
    std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// From where to where this process' own command line lies in its memory.
std::pair<std::uintptr_t, std::uintptr_t> own_words() {
  std::istringstream fields(text_of("/proc/self/stat")); // proc(5); the name has no space in it.
  constexpr int arg_start_field = 48;
  std::string field;
  for (int i = 1; i < arg_start_field; ++i)
    fields >> field;
  std::pair<std::uintptr_t, std::uintptr_t> words;
  fields >> words.first >> words.second;
  return words;
}

/// A process without a command line, as each is in the instant of its start, which becomes a
/// machine of `pid_file` after `delay`.
pid_t start_slowly(const fs::path& pid_file, milliseconds delay) {
  const auto [from, to] = own_words();
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = from / page * page;
  const pid_t child = ::fork();
  if (child != 0)
    return child;
  // The kernel reads the words where they lay; the environment's lie beside them.
  ::munmap(reinterpret_cast<void*>(first), to - first);
  ::poll(nullptr, 0, static_cast<int>(delay.count()));
  char* const none[] = {nullptr};
  ::execle(
    "/bin/sh", "sh", "-c", "sleep 60; :", "-pidfile", pid_file.c_str(), nullptr,
    static_cast<char* const*>(none));
  ::_exit(1);
}

} // namespace

TEST_CASE("a QEMU has its own session, the files that the README names, and no others of ours") {
  node n;
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  const auto pid = n.pid(side::source);
  REQUIRE(pid > 0);
  CHECK(::getsid(pid) == pid);
  CHECK(fs::read_symlink("/proc/" + std::to_string(pid) + "/fd/0") == "/dev/null");
  const auto files = n.files(side::source);
  for (const auto& path : {files.control(), files.rescue(), files.started(), files.log()})
    CHECK(fs::exists(path));
  struct stat socket {};
  REQUIRE(::stat(files.control().c_str(), &socket) == 0);
  CHECK((socket.st_mode & 0777U) == 0600U);
  CHECK(n.at(side::source).version().starts_with("QEMU "));
  REQUIRE(code_of(n.quit(side::source)) == "ok");
  CHECK(fs::is_empty(n.qemu().settings(side::source).run_dir));
  // Ours, and reaped.
  CHECK(::waitpid(pid, nullptr, WNOHANG) == -1);
}

TEST_CASE("moves leave no descriptor behind") {
  node n;
  std::size_t before = 0;
  // The first one makes the loop open what it needs for itself.
  for (const std::uint64_t number : {7U, 8U, 9U}) {
    if (number == 8)
      before = open_descriptors();
    n.heard(side::source) = {};
    n.heard(side::target) = {};
    n.begin_move(number, n.qemu().small_config());
    n.wait_completed();
    REQUIRE(code_of(n.quit(side::source)) == "ok");
    REQUIRE(code_of(n.quit(side::target)) == "ok");
    n.qemu().loop().restart();
    n.qemu().loop().poll();
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("words that QEMU does not take are quoted from its log") {
  node n;
  const auto config = n.qemu().config("2056k -device no-such-device");
  const auto failed = n.start(side::source, config);
  REQUIRE_FALSE(failed);
  CHECK_THAT(failed.error().what, Catch::Contains("no-such-device"));
  CHECK(failed.error().context == "VM 100");
  n.wait_for("gone", [&] { return n.at(side::source).list().empty(); });
  CHECK(fs::exists(n.files(side::source).log()));
  CHECK_FALSE(fs::exists(n.files(side::source).pid()));
  const auto received = n.receive(7, config);
  REQUIRE_FALSE(received);
  CHECK_THAT(received.error().what, Catch::Contains("no-such-device"));
  CHECK_FALSE(n.heard(side::target).has("failed"));
}

TEST_CASE("without QEMU every answer says so") {
  qemu_rig rig;
  auto settings = rig.settings(side::source);
  settings.qemu_binary = "/nonexistent/qemu-system-x86_64";
  qemu_hypervisor none(rig.loop(), settings);
  CHECK_THAT(none.version(), Catch::Contains("/nonexistent/qemu-system-x86_64"));
  CHECK(none.blockers(rig.small_config()).size() == 1);
  std::optional<result<machine_status>> answer;
  none.start(
    vm_id{100}, rig.small_config(), [&](const result<machine_status>& given) { answer = given; });
  REQUIRE(rig.run_until([&] { return answer.has_value(); }));
  CHECK(
    answer->error() ==
    error{errc::refused, "QEMU is not installed here", "/nonexistent/qemu-system-x86_64"});
}

TEST_CASE("local disks start and do not move, with the reason") {
  node n;
  const auto local = n.qemu().root() / "local";
  fs::create_directories(local);
  std::ofstream(local / "a.raw") << std::string(1'048'576, '\0');
  const auto config = n.qemu().config("2056k", "ide0: local:a.raw\n");
  CHECK(n.at(side::source).blockers(config).size() == 1);
  CHECK(code_of(n.start(side::source, config)) == "ok");
  const auto refused = n.receive(7, config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what == "ide0 (local:a.raw) is on this node only: not shared storage.");
}

TEST_CASE("a pid file of another process is no VM, and the process is left alone") {
  node n;
  const auto files = n.files(side::source);
  REQUIRE(files.write_pid(::getpid()));
  REQUIRE(files.write_started("name: a\n"));
  CHECK(n.attach(side::source).empty());
  CHECK_FALSE(fs::exists(files.pid()));
  CHECK_FALSE(fs::exists(files.started()));

  // A QEMU with the same number from another directory is not ours either.
  REQUIRE(code_of(n.start(side::target, n.qemu().small_config())) == "ok");
  REQUIRE(files.write_pid(n.pid(side::target)));
  CHECK(n.attach(side::source).empty());
  CHECK(n.state(side::target) == run_state::running);
}

TEST_CASE("a QEMU whose agent was killed before it could note its number is found again") {
  contracts::event_log log;
  node n;
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  const auto pid = n.pid(side::source);
  fs::remove(n.files(side::source).pid());
  n.qemu().restart(side::source, log);
  const auto found = n.attach(side::source);
  REQUIRE(found.size() == 1);
  CHECK(found[0].state == run_state::running);
  CHECK(n.pid(side::source) == pid);
  CHECK(code_of(n.quit(side::source)) == "ok");
}

TEST_CASE("what is left of a start that came to nothing goes, without a wait") {
  node n;
  const auto files = n.files(side::source);
  REQUIRE(files.write_started("name: a\n"));
  CHECK(n.attach(side::source).empty());
  CHECK_FALSE(fs::exists(files.started()));
}

TEST_CASE("a QEMU whose sockets are gone keeps no other VM waiting, and can be killed") {
  contracts::event_log log;
  node n;
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  for (const auto& path : {n.files(side::source).control(), n.files(side::source).rescue()})
    fs::remove(path);
  n.qemu().restart(side::source, log);
  const auto found = n.attach(side::source);
  REQUIRE(found.size() == 1);
  CHECK(found[0].state == run_state::other);
  CHECK(code_of(n.kill(side::source)) == "ok");
}

TEST_CASE("what a driver was starting when it was destroyed can be found, or never comes") {
  contracts::event_log log;
  node n;
  for (int delay_ms = 0; delay_ms < 12; ++delay_ms) {
    n.at(side::source).start(n.vm, n.qemu().small_config(), [](const result<machine_status>&) {});
    ::poll(nullptr, 0, delay_ms);
    n.qemu().restart(side::source, log);
    const bool was_found = n.pid(side::source) > 0;
    ::poll(nullptr, 0, 30);
    CHECK((n.pid(side::source) > 0) == was_found);
    CHECK(n.attach(side::source).size() == (was_found ? 1 : 0));
    if (was_found)
      REQUIRE(code_of(n.kill(side::source)) == "ok");
  }
}

TEST_CASE("a receiving QEMU that waits for its turn to start can be ended before it") {
  node n;
  const auto config = n.qemu().small_config();
  const std::uint32_t crowd = 2 * std::max(1U, std::thread::hardware_concurrency());
  std::map<vm_id, std::string> started;
  for (std::uint32_t i = 0; i < crowd; ++i)
    n.at(side::target)
      .receive(vm_id{500 + i}, epoch{1}, config, [&started, i](const result<machine_status>& end) {
        started[vm_id{500 + i}] = end ? "ok" : end.error().what;
      });
  const vm_id last{500 + crowd - 1};
  std::optional<bool> ended;
  n.at(side::target).kill(last, [&ended](const result<done>& end) { ended = end.has_value(); });
  n.wait_for("it is ended", [&] { return ended.has_value(); });
  CHECK(ended == true);
  CHECK_FALSE(n.at(side::target).find(last));
  CHECK_FALSE(fs::exists(run_files{n.qemu().settings(side::target).run_dir, last}.log()));
  n.wait_for("the others are there", [&] { return started.size() == crowd; });
  for (const auto& [vm, end] : started)
    CHECK(end == (vm == last ? "QEMU did not start: it was ended before its turn" : "ok"));
}

TEST_CASE("a QEMU that gets its turn late, at its very start, is not taken for a stranger") {
  node n;
  const auto files = n.files(side::target);
  const auto late = start_slowly(files.pid(), milliseconds{1'500});
  const auto words = "/proc/" + std::to_string(late) + "/cmdline";
  n.wait_for("no command line", [&] { return text_of(words).empty(); });
  REQUIRE(files.write_pid(late));
  const auto found = machine_process::adopt(n.qemu().loop(), files, [](const std::string&) {});
  REQUIRE(found);
  CHECK((*found)->pid() == late);
  (*found)->kill();
  ::waitpid(late, nullptr, 0);
}

TEST_CASE("a second QEMU of the same run directory does not start") {
  node n;
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  const auto pid_file = n.files(side::source).pid();
  const auto second = spawn(
    {{"qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-pidfile",
      pid_file.native()},
     -1,
     -1,
     -1,
     {}});
  REQUIRE(second);
  int status = 0;
  CHECK(::waitpid(*second, &status, 0) == *second);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("when somebody else holds the control socket, the state is told by the rescue socket") {
  contracts::event_log ignored;
  node n;
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  // The first driver is the holder; the second one finds the socket taken.
  qemu_hypervisor second(n.qemu().loop(), n.qemu().settings(side::source));
  std::optional<result<std::vector<machine_status>>> found;
  second.attach([&](const result<std::vector<machine_status>>& all) { found = all; });
  n.wait_for("attach", [&] { return found.has_value(); });
  CHECK(**found == std::vector{machine_status{n.vm, run_state::running, epoch{}}});
  std::optional<result<wire::machine_facts>> facts;
  // When the holder goes, the second driver gets the greeting and can do everything.
  n.qemu().restart(side::source, ignored);
  n.wait_for("facts", [&] {
    if (!facts)
      second.facts(n.vm, [&](const result<wire::machine_facts>& given) { facts = given; });
    n.qemu().run_until([&] { return facts.has_value(); });
    return facts->has_value();
  });
  std::optional<result<done>> quit;
  second.quit(n.vm, [&](const result<done>& given) { quit = given; });
  n.wait_for("quit", [&] { return quit.has_value(); });
  CHECK(*quit);
}

TEST_CASE("a QEMU that does not listen any more can be killed") {
  node n;
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  REQUIRE(::kill(n.pid(side::source), SIGSTOP) == 0);
  CHECK(code_of(n.kill(side::source)) == "ok");
  CHECK(n.at(side::source).list().empty());
}

TEST_CASE("the driver is destroyed while calls are under way: nothing is answered, QEMU runs on") {
  contracts::event_log log;
  node n;
  int answers = 0;
  n.at(side::source).start(n.vm, n.qemu().small_config(), [&](const result<machine_status>&) {
    ++answers;
  });
  const auto give_up = monotonic_now() + std::chrono::seconds{30};
  while (n.pid(side::source) == 0 && monotonic_now() < give_up)
    ::poll(nullptr, 0, 1);
  n.qemu().restart(side::source, log);
  n.qemu().loop().poll();
  CHECK(answers == 0);
  const auto found = n.attach(side::source);
  REQUIRE(found.size() == 1);
  CHECK(found[0].state == run_state::running);
}

TEST_CASE("a VM that is killed before its process is there does not come up") {
  node n;
  std::optional<result<machine_status>> started;
  n.at(side::source).start(n.vm, n.qemu().small_config(), [&](const result<machine_status>& given) {
    started = given;
  });
  CHECK(code_of(n.kill(side::source)) == "ok");
  CHECK(n.at(side::source).list().empty());
  REQUIRE(started);
  CHECK(code_of(*started) == "refused");
  CHECK(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
}

TEST_CASE("a VM that is quit before its process is there does not come up") {
  node n;
  n.at(side::source).start(n.vm, n.qemu().small_config(), [](const result<machine_status>&) {});
  CHECK(code_of(n.quit(side::source)) == "ok");
  CHECK(n.at(side::source).list().empty());
}

TEST_CASE("a driver destroyed inside its own event does no harm") {
  struct destroyer : contracts::event_log {
    qemu_rig* rig = nullptr;
    contracts::event_log next;
    void on_exit(vm_id, const std::string&) override { rig->restart(side::source, next); }
  };
  destroyer log;
  node n;
  log.rig = &n.qemu();
  n.at(side::source).listen(&log);
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  std::optional<result<done>> answer;
  n.at(side::source).kill(n.vm, [&](const result<done>& given) { answer = given; });
  const auto pid = n.pid(side::source);
  n.wait_for("the end", [&] { return ::kill(pid, 0) != 0; });
  n.qemu().loop().poll();
  CHECK_FALSE(answer);
}

TEST_CASE("the log of a QEMU that ended unasked stays for the operator") {
  node n;
  REQUIRE(code_of(n.start(side::source, n.qemu().small_config())) == "ok");
  std::ofstream(n.files(side::source).log(), std::ios::app) << "a last word\n";
  n.rig().crash(side::source, n.vm);
  n.wait_heard(side::source, "exit");
  CHECK_THAT(
    n.heard(side::source).find("exit")->reason,
    Catch::Contains("killed by signal 9") && Catch::Contains("a last word"));
  CHECK(text_of(n.files(side::source).log()) == "a last word\n");
}

} // namespace drover
