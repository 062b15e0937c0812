#include "tests/support/run_program.hpp"

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace drover::testing {
namespace {

using clock = std::chrono::steady_clock;

void read_into(int& fd, std::string& text) {
  std::array<char, 65536> bytes{};
  const auto n = read(fd, bytes.data(), bytes.size());
  if (n > 0) {
    text.append(bytes.data(), static_cast<std::size_t>(n));
    return;
  }
  close(fd);
  fd = -1;
}

} // namespace

running_program::running_program(const std::vector<std::string>& argv) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipes"};
  std::vector<char*> words;
  for (const auto& word : argv)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    execvp(words.front(), words.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

running_program::~running_program() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    reap();
  }
  for (int fd : {out_, err_})
    if (fd >= 0)
      close(fd);
}

bool running_program::read_some(std::chrono::milliseconds at_most) {
  std::array<pollfd, 2> fds{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  if (out_ < 0 && err_ < 0)
    return false;
  poll(fds.data(), fds.size(), static_cast<int>(at_most.count()));
  if (out_ >= 0 && fds[0].revents != 0)
    read_into(out_, seen_.out);
  if (err_ >= 0 && fds[1].revents != 0)
    read_into(err_, seen_.err);
  return true;
}

bool running_program::wait_until(
  const std::function<bool(const finished_program&)>& enough, std::chrono::seconds patience) {
  const auto until = clock::now() + patience;
  while (!enough(seen_)) {
    if (clock::now() >= until || !read_some(std::chrono::milliseconds{50}))
      return enough(seen_);
  }
  return true;
}

void running_program::signal(int number) const {
  if (pid_ > 0)
    kill(pid_, number);
}

void running_program::reap() {
  int status = 0;
  waitpid(pid_, &status, 0);
  seen_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
}

bool running_program::has_ended() const {
  siginfo_t seen{};
  return pid_ <= 0 ||
         (waitid(P_PID, static_cast<id_t>(pid_), &seen, WEXITED | WNOHANG | WNOWAIT) == 0 &&
          seen.si_pid == pid_);
}

bool running_program::has_more() const {
  std::array<pollfd, 2> fds{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  return poll(fds.data(), fds.size(), 0) > 0;
}

finished_program running_program::finish(std::chrono::seconds patience) {
  const auto until = clock::now() + patience;
  while (clock::now() < until && !has_ended() && read_some(std::chrono::milliseconds{50})) {
  }
  // Those whom it has started may live on and hold its pipes; what it has said itself is there.
  while (clock::now() < until && has_more() && read_some(std::chrono::milliseconds{0})) {
  }
  if (!has_ended() && (out_ >= 0 || err_ >= 0)) {
    seen_.timed_out = true;
    signal(SIGKILL);
  }
  if (pid_ > 0)
    reap();
  return seen_;
}

finished_program run_program(const std::vector<std::string>& argv, std::chrono::seconds patience) {
  running_program program{argv};
  return program.finish(patience);
}

std::vector<pid_t> processes_with(const std::string& text) {
  std::vector<pid_t> found;
  std::error_code ignored;
  // A lab's end asks this, where nothing may be thrown.
  for (std::filesystem::directory_iterator at("/proc", ignored), end; at != end;
       at.increment(ignored)) {
    const auto& entry = *at;
    const auto name = entry.path().filename().string();
    pid_t pid = 0;
    if (
      std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size())
      continue;
    std::ifstream file{entry.path() / "cmdline", std::ios::binary};
    // A process that ends now lets the read fail, which only a stream's own functions keep to
    // themselves.
    std::ostringstream line;
    line << file.rdbuf();
    if (pid != getpid() && line.str().find(text) != std::string::npos)
      found.push_back(pid);
  }
  return found;
}

temporary_directory::temporary_directory(const std::string& parent) {
  auto name = parent + "/dt-XXXXXX";
  if (mkdtemp(name.data()) == nullptr)
    throw std::runtime_error{"no directory in " + parent};
  path_ = name;
}

temporary_directory::~temporary_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

} // namespace drover::testing
