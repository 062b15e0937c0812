#include "runtime/scenario/rescue_socket.hpp"

#include <array>
#include <cstring>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace drover {
namespace {

class qmp_socket {
public:
  explicit qmp_socket(const std::filesystem::path& path)
    : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const timeval patience{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~qmp_socket() { close(fd_); }
  qmp_socket(const qmp_socket&) = delete;
  qmp_socket& operator=(const qmp_socket&) = delete;

  bool connected() const { return connected_; }

  /// The first line that holds `mark`; empty when the socket ends or stays silent before.
  std::string wait_for(const std::string& mark) {
    for (;;) {
      for (std::size_t end; (end = received_.find('\n')) != std::string::npos;) {
        auto line = received_.substr(0, end);
        received_.erase(0, end + 1);
        if (line.find(mark) != std::string::npos || line.find("\"error\"") != std::string::npos)
          return line;
      }
      std::array<char, 4096> bytes{};
      const auto n = recv(fd_, bytes.data(), bytes.size(), 0);
      if (n <= 0)
        return {};
      received_.append(bytes.data(), static_cast<std::size_t>(n));
    }
  }

  void send_line(std::string line) {
    line += '\n';
    [[maybe_unused]] const auto sent = send(fd_, line.data(), line.size(), MSG_NOSIGNAL);
  }

private:
  int fd_;
  bool connected_ = false;
  std::string received_;
};

} // namespace

result<done> tell_qemu(const std::filesystem::path& socket, const std::string& command) {
  qmp_socket qmp{socket};
  if (!qmp.connected())
    return fail(errc::lost, "QEMU's rescue socket cannot be reached", socket.string());
  if (qmp.wait_for("\"QMP\"").empty())
    return fail(errc::timeout, "QEMU does not greet on its rescue socket", socket.string());
  qmp.send_line(R"({"execute":"qmp_capabilities"})");
  qmp.wait_for("\"return\"");
  qmp.send_line(command);
  const auto answer = qmp.wait_for("\"return\"");
  if (answer.find("\"return\"") == std::string::npos)
    return fail(errc::refused, "QEMU does not carry out " + command, answer);
  return done{};
}

} // namespace drover
