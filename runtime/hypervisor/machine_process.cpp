#include "runtime/hypervisor/machine_process.hpp"

#include "runtime/hypervisor/spawn.hpp"
#include "runtime/hypervisor/tap.hpp"
#include "runtime/hypervisor/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace drover {

namespace {

// glibc 2.36 declares both in <sys/pidfd.h> without C linkage, so that C++ cannot link them.
int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
void pidfd_send_signal(int handle, int signal) {
  ::syscall(SYS_pidfd_send_signal, handle, signal, nullptr, 0);
}

/// Bound and listening before QEMU starts, so that nobody has to wait for the file to appear: a
/// connection made now is served as soon as QEMU is up, and closed if it never gets there.
result<unique_fd> listen_at(const std::filesystem::path& path) {
  constexpr int waiting_clients = 8;
  return listen_privately(path, waiting_clients);
}

std::vector<std::string> words_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(in, word, '\0');)
    words.push_back(word);
  return words;
}

bool names_pid_file(const std::vector<std::string>& words, const std::filesystem::path& pid_file) {
  const auto at = std::find(words.begin(), words.end(), "-pidfile");
  return at != words.end() && std::next(at) != words.end() && *std::next(at) == pid_file.native();
}

/// The process is the QEMU of this pid file: its command line names the file.
bool is_machine_of(int handle, pid_t pid, const std::filesystem::path& pid_file) {
  auto words = words_of(pid);
  // A process has no command line for an instant while it is started, and for ever when it has
  // ended; its handle becomes readable only then. On a busy node the instant of one that lets
  // others go first lasts as long as they like.
  constexpr int instants_most = 2'000;
  for (int i = 0; i < instants_most && words.empty(); ++i) {
    run_as_usual(pid);
    pollfd ended{handle, POLLIN, 0};
    if (::poll(&ended, 1, 1) != 0)
      return false;
    words = words_of(pid);
  }
  return names_pid_file(words, pid_file);
}

unique_fd handle_of_machine(pid_t pid, const run_files& files) {
  // First the handle, then the look at the command line: the number cannot change its owner
  // between.
  unique_fd handle(pid > 0 ? pidfd_open(pid) : -1);
  if (!handle || is_machine_of(handle.get(), pid, files.pid()))
    return handle;
  siginfo_t ignored{};
  ::waitid(
    static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(handle.get()), &ignored, WEXITED | WNOHANG);
  return {};
}

/// One whose agent was killed between its start and the note of its number; 0 = there is none.
pid_t search_machine_of(const std::filesystem::path& pid_file) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc", ignored}) {
    const auto name = entry.path().filename().native();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{} || pid <= 1)
      continue;
    if (names_pid_file(words_of(pid), pid_file))
      return pid;
  }
  return 0;
}

/// A new process is still its agent's for an instant, but has the sockets already: the greeting, or
/// the end of the connection, tells what has become of it.
pid_t await_machine_of(const run_files& files) {
  constexpr int look_ms = 50;
  constexpr int looks_most = 60;
  const auto connection = connect_at_once(files.rescue());
  for (int i = 0; connection && i < looks_most; ++i) {
    if (const auto pid = search_machine_of(files.pid()); pid > 0)
      return pid;
    pollfd told{connection->get(), POLLIN, 0};
    if (::poll(&told, 1, look_ms) != 0)
      break;
  }
  // It may have become one between the two looks, and may have lost its sockets.
  return search_machine_of(files.pid());
}

/// A QEMU without its pid file would never be found again.
void end_unfindable(const new_process& started) {
  pidfd_send_signal(started.handle.get(), SIGKILL);
  siginfo_t ignored{};
  while (::waitid(
           static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(started.handle.get()), &ignored,
           WEXITED) != 0 &&
         errno == EINTR) {
  }
}

result<std::vector<unique_fd>> open_taps(const std::vector<std::string>& bridges) {
  std::vector<unique_fd> taps;
  for (const auto& bridge : bridges) {
    auto tap = open_tap(bridge);
    if (!tap)
      return tl::unexpected(tap.error());
    taps.push_back(std::move(*tap));
  }
  return taps;
}

result<void> write_files(const process_plan& plan) {
  plan.files.remove_all(run_files::log_file::remove);
  if (auto written = plan.files.write_started(plan.config); !written)
    return written;
  if (plan.mark.role == stream_role::none)
    return {};
  return plan.files.write_stream(plan.mark);
}

} // namespace

result<new_process> start_process(const process_plan& plan) {
  if (auto written = write_files(plan); !written)
    return tl::unexpected(written.error());
  const auto taps = open_taps(plan.tap_bridges);
  if (!taps)
    return tl::unexpected(taps.error());
  const auto control = listen_at(plan.files.control());
  const auto rescue = control ? listen_at(plan.files.rescue()) : tl::unexpected(control.error());
  if (!rescue)
    return tl::unexpected(rescue.error());
  const unique_fd log(
    ::open(plan.files.log().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!log)
    return fail(
      errc::refused, std::string("cannot open the log: ") + std::strerror(errno),
      plan.files.log().native());
  spawn_request request{plan.argv, -1, log.get(), log.get(), {control->get(), rescue->get()}};
  for (const auto& tap : *taps)
    request.descriptors.push_back(tap.get());
  const auto pid = spawn(request);
  if (!pid)
    return tl::unexpected(pid.error());
  new_process started{*pid, unique_fd(pidfd_open(*pid))};
  if (auto written = plan.files.write_pid(*pid); !written) {
    end_unfindable(started);
    return tl::unexpected(written.error());
  }
  // After the note: whoever finds a process that is low knows which one it is, and can raise it.
  if (plan.mark.role == stream_role::target)
    started.runs = let_others_go_first(*pid);
  return started;
}

machine_process::machine_process(asio::io_context& loop, new_process started, gone on_gone)
  : pid_(started.pid), handle_(loop, started.handle.release()), runs_(started.runs),
    on_gone_(std::move(on_gone)) {}

std::shared_ptr<machine_process> machine_process::watch(
  asio::io_context& loop, new_process started, gone on_gone) {
  std::shared_ptr<machine_process> self(
    new machine_process(loop, std::move(started), std::move(on_gone)));
  self->await_end();
  return self;
}

result<std::shared_ptr<machine_process>> machine_process::adopt(
  asio::io_context& loop, const run_files& files, gone on_gone) {
  auto pid = files.read_pid();
  auto handle = handle_of_machine(pid, files);
  if (!handle) {
    pid = await_machine_of(files);
    handle = handle_of_machine(pid, files);
  }
  if (!handle)
    return fail(errc::lost, "its QEMU is gone", files.pid().native());
  // Its agent may have gone while it started.
  return watch(loop, {pid, std::move(handle), urgency::low}, std::move(on_gone));
}

void machine_process::await_end() {
  handle_.async_wait(
    asio::posix::stream_descriptor::wait_read,
    [weak = weak_from_this()](const asio::error_code& failure) {
      const auto self = weak.lock();
      if (!self || failure || !self->on_gone_)
        return;
      const auto on_gone = std::exchange(self->on_gone_, {});
      on_gone(self->reap());
    });
}

std::string machine_process::reap() {
  siginfo_t info{};
  // A QEMU that an earlier agent started is no child of ours: how it ended is not known then.
  const auto kind = static_cast<idtype_t>(P_PIDFD);
  while (::waitid(kind, static_cast<id_t>(handle_.native_handle()), &info, WEXITED) != 0)
    if (errno != EINTR)
      return "ended";
  if (info.si_code == CLD_EXITED)
    return "ended with status " + std::to_string(info.si_status);
  return "was killed by signal " + std::to_string(info.si_status);
}

void machine_process::raise() {
  if (std::exchange(runs_, urgency::usual) == urgency::low)
    run_as_usual(pid_);
}

void machine_process::kill() {
  raise();
  pidfd_send_signal(handle_.native_handle(), SIGKILL);
}

void machine_process::terminate() {
  raise();
  pidfd_send_signal(handle_.native_handle(), SIGTERM);
}

void machine_process::forget() {
  on_gone_ = {};
  asio::error_code ignored;
  handle_.cancel(ignored);
}

} // namespace drover
