// drover-agent as a process, spoken to by lines. Rule: every wait is bounded, and nothing outlives
// the object.
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace drover::test {

class agent_program {
public:
  explicit agent_program(std::vector<std::string> words) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0)
      return;
    std::vector<char*> argv;
    for (auto& word : words)
      argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0)
      pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
  agent_program(const agent_program&) = delete;
  agent_program& operator=(const agent_program&) = delete;
  ~agent_program() {
    close_input();
    ::close(out_);
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  pid_t pid() const { return pid_; }

  void say(const std::string& line) {
    const auto text = line + "\n";
    static_cast<void>(!::write(in_, text.data(), text.size()));
  }

  void close_input() {
    if (in_ >= 0)
      ::close(std::exchange(in_, -1));
  }

  /// The next line; nullopt when none comes in time or the output has ended.
  std::optional<std::string> hear(std::chrono::milliseconds patience = std::chrono::seconds{20}) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      if (const auto end = heard_.find('\n'); end != std::string::npos) {
        auto line = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return line;
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
      pollfd one{out_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&one, 1, static_cast<int>(left.count())) <= 0)
        return std::nullopt;
      std::array<char, 4096> bytes{};
      const auto n = ::read(out_, bytes.data(), bytes.size());
      if (n <= 0)
        return std::nullopt;
      heard_.append(bytes.data(), static_cast<std::size_t>(n));
    }
  }

  /// Its exit code, once it has ended by itself.
  std::optional<int> ended(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      ::poll(nullptr, 0, 5);
    }
    return std::nullopt;
  }

private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string heard_;
};

} // namespace drover::test
