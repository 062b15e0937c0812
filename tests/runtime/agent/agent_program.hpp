// drover-agent as a process, spoken to by lines. Rule: every wait is bounded, and nothing outlives
// the object.
#pragma once

#include "runtime/wire/codec.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
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
  std::string fresh_id() { return "ask-" + std::to_string(++ids_); }

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
  int ids_ = 0;
};

/// A store with one VM on n1, and the run directories of its nodes; every QEMU that is left is
/// ended.
class agent_directory {
public:
  agent_directory() {
    std::string name = "/tmp/drover-agent-XXXXXX";
    path_ = ::mkdtemp(name.data());
    for (const auto* node : {"n1", "n2"}) {
      std::filesystem::create_directories(run_dir(node));
      std::filesystem::create_directories(path_ / "store/nodes" / node / "qemu-server");
    }
    std::ofstream{config("n1")} << text;
  }
  ~agent_directory() {
    for (const auto* node : {"n1", "n2"})
      if (const auto pid = qemu_pid(node); pid > 0)
        ::kill(pid, SIGKILL);
    std::filesystem::remove_all(path_);
  }
  agent_directory(const agent_directory&) = delete;
  agent_directory& operator=(const agent_directory&) = delete;

  static constexpr const char* text = "name: one\nmemory: 64\nkvm: 0\n";

  std::filesystem::path run_dir(const std::string& node) const { return path_ / ("run-" + node); }
  std::filesystem::path config(const std::string& node) const {
    return path_ / "store/nodes" / node / "qemu-server/105.conf";
  }
  pid_t qemu_pid(const std::string& node) const {
    pid_t pid = 0;
    std::ifstream{run_dir(node) / "105.pid"} >> pid;
    return pid;
  }

  std::vector<std::string> command(
    const std::vector<std::string>& more = {}, const std::string& node = "n1") const {
    std::vector<std::string> words{
      DROVER_AGENT_PROGRAM,
      "--stdio",
      "--node",
      node,
      "--run-dir",
      run_dir(node).string(),
      "--store",
      "pmxcfs:" + (path_ / "store").string(),
      "--address",
      "127.0.0.1",
      "--accel",
      "tcg"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

private:
  std::filesystem::path path_;
};

inline std::string request_line(const std::string& id, wire::request_body body) {
  return wire::encode(wire::request{request_id{id}, std::chrono::seconds{20}, std::move(body)});
}

/// The next reply; notices in between are passed over.
inline result<wire::reply> next_reply(agent_program& agent) {
  for (;;) {
    const auto line = agent.hear();
    if (!line)
      return fail(errc::timeout, "no line");
    auto message = wire::decode_from_agent(*line);
    if (!message)
      return tl::unexpected{message.error()};
    if (auto* reply = std::get_if<wire::reply>(&*message))
      return *reply;
  }
}

/// Asks and waits for the answer, one request at a time.
template <class R>
result<typename R::answer> ask(agent_program& agent, R body) {
  agent.say(request_line(agent.fresh_id(), wire::request_body{std::move(body)}));
  auto reply = next_reply(agent);
  if (!reply)
    return tl::unexpected{reply.error()};
  if (!reply->body)
    return tl::unexpected{reply->body.error()};
  return std::get<typename R::answer>(*reply->body);
}

} // namespace drover::test
