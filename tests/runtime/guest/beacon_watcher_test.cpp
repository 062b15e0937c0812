#include "tests/runtime/guest/qemu_rig.hpp"

#include "runtime/guest/beacon_watcher.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <fstream>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using drover::beacon_watcher;
using drover::errc;
using drover::milliseconds;
using drover::vm_id;
using drover::guest_test::scratch_dir;

namespace {

constexpr milliseconds patience{10'000};
const vm_id vm{101};

/// The sending half of a QEMU: a connection that was made by another process, so that the kernel
/// names that one's pid to the watcher.
class sender {
public:
  explicit sender(const std::string& path) {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    pid_ = ::fork();
    if (pid_ == 0)
      ::_exit(connect_and_pass(path, pair[1]));
    ::close(pair[1]);
    fd_ = take_descriptor(pair[0]);
    ::close(pair[0]);
    REQUIRE(::waitpid(pid_, nullptr, 0) == pid_);
    REQUIRE(fd_ >= 0);
  }
  ~sender() { hang_up(); }
  sender(const sender&) = delete;
  sender& operator=(const sender&) = delete;

  pid_t pid() const { return pid_; }
  void hang_up() {
    if (fd_ >= 0)
      ::close(fd_);
    fd_ = -1;
  }
  void send(const std::string& bytes) const {
    REQUIRE(
      ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  void beat(unsigned counter) const { send(frame(counter)); }

  static std::string frame(unsigned counter) {
    return {
      static_cast<char>(0x80U | counter >> 21), static_cast<char>(counter >> 14 & 0x7FU),
      static_cast<char>(counter >> 7 & 0x7FU), static_cast<char>(counter & 0x7FU)};
  }

private:
  union passed_descriptor {
    cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  };

  static int connect_and_pass(const std::string& path, int to) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return 1;
    passed_descriptor passed{};
    char byte = 0;
    iovec content{&byte, 1};
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = &passed;
    message.msg_controllen = sizeof passed;
    passed.header.cmsg_level = SOL_SOCKET;
    passed.header.cmsg_type = SCM_RIGHTS;
    passed.header.cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(&passed.header), &fd, sizeof fd);
    return ::sendmsg(to, &message, 0) == 1 ? 0 : 1;
  }

  static int take_descriptor(int from) {
    passed_descriptor passed{};
    char byte = 0;
    iovec content{&byte, 1};
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = &passed;
    message.msg_controllen = sizeof passed;
    if (::recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1 || message.msg_controllen == 0)
      return -1;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&passed.header), sizeof fd);
    return fd;
  }

  pid_t pid_ = -1;
  int fd_ = -1;
};

bool hears(const beacon_watcher& watcher, std::uint64_t beats) {
  const auto deadline = drover::monotonic_now() + patience;
  while (watcher.report(vm)->beats < beats && drover::monotonic_now() < deadline)
    ::poll(nullptr, 0, 1);
  return watcher.report(vm)->beats == beats;
}

struct watch_rig {
  scratch_dir scratch;
  std::unique_ptr<beacon_watcher> watcher = beacon_watcher::open(scratch.path()).value();

  drover::beacon_report report() const { return watcher->report(vm).value(); }
  bool hears(std::uint64_t beats) const { return ::hears(*watcher, beats); }
};

} // namespace

TEST_CASE("a watcher tells the processes of a VM apart by their pids", "[system]") {
  watch_rig rig;
  const auto path = rig.watcher->watch(vm).value();
  CHECK(path == rig.watcher->socket_path(vm));
  CHECK(rig.watcher->watch(vm).value() == path);
  const sender source(path);
  source.beat(1);
  source.send(sender::frame(2).substr(0, 3));
  const sender target(path);
  target.send(sender::frame(2).substr(3));
  target.beat(3);
  REQUIRE(rig.hears(3));
  const auto report = rig.report();
  CHECK(report.contiguous());
  REQUIRE(report.processes.size() == 2);
  CHECK(report.processes[0].pid == source.pid());
  CHECK(report.processes[1].pid == target.pid());
  CHECK(report.switchovers.size() == 1);
}

TEST_CASE("a source's last beats are judged before its target's first", "[system]") {
  watch_rig rig;
  const auto path = rig.watcher->watch(vm).value();
  constexpr unsigned processes = 100;
  auto source = std::make_unique<sender>(path);
  unsigned counter = 0;
  for (unsigned i = 1; i < processes; ++i) {
    auto target = std::make_unique<sender>(path);
    // The source keeps the watcher reading, each round in another rhythm, so that the target begins
    // at every point of a read.
    for (int beat = 0; beat < 20; ++beat) {
      const auto next = drover::monotonic_now() + std::chrono::microseconds{i % 25};
      source->beat(++counter);
      while (drover::monotonic_now() < next) {
      }
    }
    source->beat(++counter);
    target->beat(++counter);
    source = std::move(target);
  }
  REQUIRE(rig.hears(counter));
  INFO(to_string(rig.report()));
  CHECK(rig.report().contiguous());
  CHECK(rig.report().switchovers.size() == processes - 1);
}

TEST_CASE("a watcher sees the end of a process and keeps the VMs apart", "[system]") {
  watch_rig rig;
  const vm_id other{102};
  sender first(rig.watcher->watch(vm).value());
  const sender second(rig.watcher->watch(other).value());
  first.beat(1);
  second.beat(7);
  second.beat(9);
  REQUIRE(rig.hears(1));
  first.hang_up();
  const auto deadline = drover::monotonic_now() + patience;
  while ((rig.report().processes[0].connected || rig.watcher->report(other)->beats < 2) &&
         drover::monotonic_now() < deadline)
    ::poll(nullptr, 0, 1);
  CHECK_FALSE(rig.report().processes[0].connected);
  CHECK(rig.report().contiguous());
  const auto reports = rig.watcher->reports();
  REQUIRE(reports.size() == 2);
  CHECK(reports.at(other).lost == 1);
  CHECK(reports.at(other).processes[0].connected);
}

TEST_CASE("a wait for beats ends with them or with its time", "[system]") {
  watch_rig rig;
  const sender source(rig.watcher->watch(vm).value());
  source.beat(1);
  REQUIRE(rig.hears(1));
  const auto late = rig.watcher->wait_for_beats(vm, 1, milliseconds{20});
  REQUIRE_FALSE(late);
  CHECK(late.error().code == errc::timeout);
  CHECK(late.error().what == "heard 0 beats of 1 within 20 ms");
  CHECK(rig.watcher->wait_for_beats(vm, 0, milliseconds{0}));
  CHECK(rig.watcher->wait_for_beats(vm_id{999}, 1, patience).error().code == errc::invalid);
  CHECK_FALSE(rig.watcher->report(vm_id{999}));
}

TEST_CASE("a closed watcher has removed its sockets and keeps its reports", "[system]") {
  watch_rig rig;
  const auto path = rig.watcher->watch(vm).value();
  const sender source(path);
  source.beat(1);
  REQUIRE(rig.hears(1));
  rig.watcher->close();
  rig.watcher->close();
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(rig.report().beats == 1);
  CHECK(rig.watcher->watch(vm_id{102}).error().code == errc::refused);
  CHECK(std::filesystem::is_empty(rig.scratch.path()));
}

TEST_CASE("a place where no socket can be is a clear error", "[system]") {
  scratch_dir scratch;
  CHECK(beacon_watcher::open(scratch.path() / "none").error().code == errc::invalid);

  const auto deep = scratch.path() / std::string(beacon_watcher::path_max, 'd');
  std::filesystem::create_directory(deep);
  const auto too_long = beacon_watcher::open(deep).value()->watch(vm);
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().code == errc::invalid);
  CHECK(too_long.error().what.find("more than the 107") != std::string::npos);

  const auto one = beacon_watcher::open(scratch.path()).value();
  const auto two = beacon_watcher::open(scratch.path()).value();
  const auto path = one->watch(vm).value();
  CHECK(two->watch(vm).error().code == errc::conflict);
  CHECK(std::filesystem::exists(path));

  std::ofstream{two->socket_path(vm_id{102})};
  CHECK(two->watch(vm_id{102}).error().code == errc::invalid);
  CHECK(std::filesystem::is_regular_file(two->socket_path(vm_id{102})));
}

TEST_CASE(
  "the longest path that a socket can have is taken, a dead socket is replaced", "[system]") {
  scratch_dir scratch;
  const auto name_size = std::string("/101.beat").size();
  auto deep = scratch.path().string() + "/";
  deep += std::string(beacon_watcher::path_max - name_size - deep.size(), 'd');
  std::filesystem::create_directory(deep);
  const auto watcher = beacon_watcher::open(deep).value();
  const auto path = watcher->socket_path(vm);
  REQUIRE(path.size() == beacon_watcher::path_max);

  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(dead);

  REQUIRE(watcher->watch(vm));
  const sender source(path);
  source.beat(1);
  CHECK(hears(*watcher, 1));
}
