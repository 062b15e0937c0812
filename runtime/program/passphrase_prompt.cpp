#include "runtime/program/passphrase_prompt.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace drover {
namespace {

/// A person who has left does not keep the program for ever.
constexpr int patience_ms = 120'000;
constexpr std::size_t passphrase_bytes_max = 1024;
constexpr char interrupt_byte = '\x03';
constexpr char erase_byte = '\x7f';

/// The terminal without echo, and with Ctrl-C as a byte: the program's threads have the signal
/// blocked, so it would not end a read.
class quiet_terminal {
public:
  quiet_terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0)
      return;
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    is_quiet_ = ::tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
  }
  quiet_terminal(const quiet_terminal&) = delete;
  quiet_terminal& operator=(const quiet_terminal&) = delete;
  ~quiet_terminal() {
    if (is_quiet_)
      ::tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0)
      ::close(fd_);
  }

  bool is_quiet() const { return is_quiet_; }
  void print(std::string_view text) const {
    [[maybe_unused]] const auto written = ::write(fd_, text.data(), text.size());
  }
  /// False when nothing came in time.
  bool read_byte(char& byte) const {
    pollfd one{fd_, POLLIN, 0};
    return ::poll(&one, 1, patience_ms) > 0 && ::read(fd_, &byte, 1) == 1;
  }

private:
  int fd_;
  termios before_{};
  bool is_quiet_ = false;
};

std::optional<secret> ask_person(const std::string& identity_file) {
  const quiet_terminal terminal;
  if (!terminal.is_quiet())
    return std::nullopt;
  terminal.print("passphrase of " + identity_file + ": ");
  // Of its full size from the start: a vector that grows leaves copies behind.
  std::vector<char> typed;
  typed.reserve(passphrase_bytes_max);
  std::optional<secret> given;
  char byte = 0;
  while (terminal.read_byte(byte) && byte != interrupt_byte) {
    if (byte == '\n' || byte == '\r') {
      given = secret{std::string_view{typed.data(), typed.size()}};
      break;
    }
    if (byte == erase_byte && !typed.empty())
      typed.pop_back();
    else if (byte != erase_byte && typed.size() < passphrase_bytes_max)
      typed.push_back(byte);
  }
  ::explicit_bzero(typed.data(), typed.capacity());
  terminal.print("\n");
  if (byte == interrupt_byte)
    ::kill(::getpid(), SIGINT);
  return given;
}

} // namespace

ask_passphrase passphrase_prompt() {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0)
    return {};
  return ask_person;
}

} // namespace drover
