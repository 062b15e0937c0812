#include "runtime/link/child_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace drover {
namespace {

constexpr std::size_t log_line_chars_max = 200;
constexpr off_t log_tail_bytes = 4096;

/// How the spawned program's descriptors and signals are set up.
class spawn_plan {
public:
  spawn_plan() {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(
      &attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&files_);
  }

  void connect(int from, int to) { ::posix_spawn_file_actions_adddup2(&files_, from, to); }

  /// 0 or an errno.
  int run(const std::vector<std::string>& argv, pid_t& pid) {
    ::posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    std::vector<char*> words;
    for (const auto& word : argv)
      words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    return ::posix_spawnp(&pid, words[0], &files_, &attributes_, words.data(), environ);
  }

private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

/// Moves a descriptor out of 0..2, which the spawn overwrites one after the other.
unique_fd above_standard(int fd) {
  unique_fd low(fd);
  if (fd > STDERR_FILENO || fd < 0)
    return low;
  return unique_fd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

tl::unexpected<error> failure(const std::string& what, int number, const std::string& context) {
  return fail(errc::lost, what + ": " + std::strerror(number), context);
}

} // namespace

result<child_process> spawn_child(
  const std::vector<std::string>& argv, const std::string& log_path) {
  if (argv.empty() || argv[0].empty())
    return fail(errc::invalid, "no command to start");
  std::array<int, 2> in{-1, -1}, out{-1, -1};
  const bool has_in = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in.data()) == 0;
  const bool has_out = has_in && ::pipe2(out.data(), O_CLOEXEC) == 0;
  const int pipe_error = errno;
  child_process child;
  child.input = above_standard(in[0]);
  child.output = above_standard(out[0]);
  const unique_fd child_in = above_standard(in[1]), child_out = above_standard(out[1]);
  if (!has_out)
    return failure("cannot make a pipe", pipe_error, argv[0]);

  spawn_plan plan;
  unique_fd log;
  plan.connect(child_in.get(), STDIN_FILENO);
  plan.connect(child_out.get(), STDOUT_FILENO);
  if (!log_path.empty()) {
    log = above_standard(::open(log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (log.get() < 0)
      return failure("cannot open the log", errno, log_path);
    child.log_start = std::max<off_t>(0, ::lseek(log.get(), 0, SEEK_END));
    plan.connect(log.get(), STDERR_FILENO);
  }
  if (const int number = plan.run(argv, child.pid); number != 0)
    return failure("cannot start", number, argv[0]);
  child.watch = unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  if (child.watch.get() < 0) {
    const int number = errno;
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return failure("cannot watch the process", number, argv[0]);
  }
  return child;
}

std::string reap_child(const child_process& child) {
  int status = 0;
  if (::waitpid(child.pid, &status, WNOHANG) != child.pid)
    return "ended";
  if (WIFEXITED(status))
    return "exited with status " + std::to_string(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const char* name = ::sigdescr_np(number);
  return "was killed by signal " + std::to_string(number) +
         (name ? std::string(" (") + name + ")" : "");
}

std::string last_log_line(const child_process& child, const std::string& log_path) {
  if (log_path.empty())
    return {};
  const unique_fd log(::open(log_path.c_str(), O_RDONLY | O_CLOEXEC));
  const off_t end = log.get() < 0 ? 0 : ::lseek(log.get(), 0, SEEK_END);
  if (end <= child.log_start)
    return {};
  std::array<char, log_tail_bytes> bytes;
  const off_t start = std::max(child.log_start, end - log_tail_bytes);
  const ssize_t size =
    ::pread(log.get(), bytes.data(), static_cast<std::size_t>(end - start), start);
  std::string_view tail(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (tail.ends_with('\n'))
    tail.remove_suffix(1);
  // Not found is npos, and npos + 1 is 0.
  tail.remove_prefix(tail.rfind('\n') + 1);
  std::string line(tail.substr(0, log_line_chars_max));
  std::replace_if(
    line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return line;
}

} // namespace drover
