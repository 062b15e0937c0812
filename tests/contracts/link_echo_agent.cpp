// The peer of the link contract: repeats every line, and misbehaves when a line beginning with `!`
// says so. It ends by itself after a minute whatever happens.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace {

void write_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto n = ::write(fd, bytes.data() + at, bytes.size() - at);
    if (n <= 0)
      std::_Exit(9);
    at += static_cast<std::size_t>(n);
  }
}

void say(const std::string& line) { write_all(STDOUT_FILENO, line + "\n"); }

/// "own_session fds=0,1,2 ignored=none": what the spawn has set up.
std::string surroundings() {
  std::string text = ::getsid(0) == ::getpid() ? "own_session fds=" : "foreign_session fds=";
  DIR* folder = ::opendir("/proc/self/fd");
  while (const auto* entry = ::readdir(folder))
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != ::dirfd(folder))
      text += std::string(entry->d_name) + ",";
  ::closedir(folder);
  struct sigaction pipe {};
  ::sigaction(SIGPIPE, nullptr, &pipe);
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  text += pipe.sa_handler == SIG_IGN ? " pipe_ignored" : "";
  text += ::sigismember(&blocked, SIGTERM) ? " term_blocked" : "";
  return text;
}

/// Reads nothing until the other end is gone.
void stall() {
  pollfd input{STDIN_FILENO, POLLRDHUP, 0};
  ::poll(&input, 1, -1);
  std::_Exit(0);
}

bool after_end_of_input = false;

void obey(const std::string& word, const std::string& rest) {
  if (word == "!exit")
    std::_Exit(std::atoi(rest.c_str()));
  else if (word == "!die")
    ::raise(SIGKILL);
  else if (word == "!half")
    write_all(STDOUT_FILENO, rest), std::_Exit(0);
  else if (word == "!flood")
    for (int n = 0, most = std::atoi(rest.c_str()); n < most; ++n)
      say("flood " + std::to_string(n));
  else if (word == "!long")
    say(std::string(std::strtoul(rest.c_str(), nullptr, 10), 'x'));
  else if (word == "!nul")
    write_all(STDOUT_FILENO, std::string("a\0b\n", 4));
  else if (word == "!crlf")
    write_all(STDOUT_FILENO, rest + "\r\n");
  else if (word == "!stall")
    stall();
  else if (word == "!complain")
    write_all(STDERR_FILENO, rest + "\n");
  else if (word == "!close_output")
    ::close(STDOUT_FILENO);
  else if (word == "!close_input")
    ::close(STDIN_FILENO), ::pause();
  else if (word == "!outlive_input")
    after_end_of_input = true;
  else if (word == "!surroundings")
    say(surroundings());
  else
    say("unknown " + word);
}

} // namespace

int main() {
  ::alarm(60);
  std::string partial;
  char bytes[65536];
  for (;;) {
    const auto n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n <= 0)
      break;
    partial.append(bytes, static_cast<std::size_t>(n));
    for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n')) {
      const std::string line = partial.substr(0, end);
      partial.erase(0, end + 1);
      if (line.starts_with('!')) {
        const auto space = line.find(' ');
        obey(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1));
      } else {
        say(line);
      }
    }
  }
  while (after_end_of_input)
    ::pause();
  return 0;
}
