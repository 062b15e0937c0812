#include "runtime/scenario/tool_run.hpp"

#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/spawn.hpp"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace drover {
namespace {

constexpr int patience_ms = 20'000;

std::string first_line_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  return line;
}

std::string text_of(const std::vector<std::string>& argv) {
  std::string text;
  for (const auto& word : argv)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

} // namespace

result<done> run_tool(const std::vector<std::string>& argv, const std::filesystem::path& log) {
  const unique_fd output{
    ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600)};
  const auto pid = spawn({argv, -1, output.get(), output.get(), {}});
  if (!pid)
    return tl::unexpected<error>(pid.error());
  const unique_fd watch{static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))};
  pollfd one{watch.get(), POLLIN, 0};
  const bool ended = ::poll(&one, 1, patience_ms) > 0;
  if (!ended)
    ::kill(*pid, SIGKILL);
  int status = 0;
  ::waitpid(*pid, &status, 0);
  if (!ended)
    return fail(errc::timeout, argv.front() + " does not end", text_of(argv));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(errc::refused, argv.front() + " failed: " + first_line_of(log), text_of(argv));
  return done{};
}

} // namespace drover
