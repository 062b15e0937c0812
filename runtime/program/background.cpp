#include "runtime/program/background.hpp"

#include "runtime/base/unique_fd.hpp"
#include "runtime/program/command_output.hpp"
#include "runtime/program/state_directory.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace drover {
namespace {

std::filesystem::path early_log(const std::filesystem::path& state, pid_t pid) {
  return state / "running" / ("starting-" + std::to_string(pid) + ".log");
}

/// The first line that comes through `from`; empty when it ends before.
std::string first_line(int from) {
  std::string text;
  for (std::array<char, 256> bytes{}; text.find('\n') == std::string::npos;) {
    const auto n = ::read(from, bytes.data(), bytes.size());
    if (n == 0 || (n < 0 && errno != EINTR))
      return {};
    text.append(bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> words_of_child(const options& o, int tell) {
  std::vector<std::string> words{"drover"};
  for (const auto& word : o.words)
    if (word != "--detach")
      words.push_back(word);
  words.push_back("--in-background");
  words.push_back(std::to_string(tell));
  return words;
}

/// Only what may be called between fork and exec.
[[noreturn]] void become(std::vector<char*>& argv) {
  setsid(); // A terminal that goes away does not take it along.
  const int nothing = ::open("/dev/null", O_RDWR);
  dup2(nothing, STDIN_FILENO);
  if (nothing > STDERR_FILENO)
    ::close(nothing);
  execv("/proc/self/exe", argv.data());
  _exit(127);
}

int ended_before_its_name(pid_t child, const std::filesystem::path& log) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::ifstream file{log};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  std::fputs(text.c_str(), stderr);
  std::error_code problem;
  std::filesystem::remove(log, problem);
  return WIFEXITED(status) ? WEXITSTATUS(status) : as_int(outcome_code::usage_or_internal);
}

std::optional<int> tell_fd_of(const options& o) {
  const auto* c = std::get_if<evacuate_options>(&o.command);
  return c == nullptr ? std::nullopt : c->tell_fd;
}

void tell_name(int to, const std::string& id) {
  const auto line = id + "\n";
  if (::write(to, line.data(), line.size()) > 0)
    ::close(to);
}

} // namespace

int evacuate_in_background(const options& o) {
  const auto state = state_directory(o.state_dir);
  if (!state)
    return complain(state.error());
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), 0) != 0)
    return complain({errc::refused, std::string{"no pipe: "} + std::strerror(errno), {}});
  unique_fd hear{ends[0]};
  unique_fd tell{ends[1]};
  fcntl(hear.get(), F_SETFD, FD_CLOEXEC);
  auto words = words_of_child(o, tell.get());
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto child = fork();
  if (child < 0)
    return complain({errc::refused, std::string{"no process: "} + std::strerror(errno), {}});
  if (child == 0)
    become(argv);
  tell.reset();
  const auto id = first_line(hear.get());
  if (id.empty())
    return ended_before_its_name(child, early_log(*state, child));
  print(
    o.out == output_format::json
      ? nlohmann::ordered_json{{"id", id}, {"state", "running"}}.dump(2) + "\n"
      : id + " is under way in the background; drover wait " + id + ", drover pause " + id +
          ", drover cancel " + id + "\n");
  return as_int(outcome_code::all_moved);
}

void enter_background(const options& o) {
  const auto tell = tell_fd_of(o);
  const auto state = state_directory(o.state_dir);
  if (!tell || !state)
    return;
  fcntl(*tell, F_SETFD, FD_CLOEXEC);
  std::error_code problem;
  const auto file = early_log(*state, getpid());
  std::filesystem::create_directories(file.parent_path(), problem);
  unique_fd log{::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
  if (!log)
    log.reset(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  dup2(log.get(), STDOUT_FILENO);
  dup2(log.get(), STDERR_FILENO);
}

void name_background_run(const options& o, const std::string& id) {
  const auto state = state_directory(o.state_dir);
  if (!tell_fd_of(o) || !state)
    return;
  std::error_code problem;
  std::filesystem::rename(early_log(*state, getpid()), *state / "running" / (id + ".log"), problem);
  tell_name(*tell_fd_of(o), id);
}

void leave_background(const options& o, const std::string& id) {
  const auto state = state_directory(o.state_dir);
  if (!tell_fd_of(o) || !state)
    return;
  std::error_code problem;
  std::filesystem::remove(early_log(*state, getpid()), problem);
  tell_name(*tell_fd_of(o), id);
}

} // namespace drover
