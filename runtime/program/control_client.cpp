#include "runtime/program/control_client.hpp"

#include "runtime/base/time.hpp"
#include "runtime/hypervisor/unix_socket.hpp"
#include "runtime/program/control_server.hpp"

#include <array>
#include <poll.h>
#include <sys/socket.h>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// A run answers at once; its journal may take a moment longer.
constexpr auto answer_patience = 30s;
constexpr auto look_ms = 100;

class connection {
public:
  static result<connection> to(const std::filesystem::path& socket, control_ask ask) {
    const auto folder = open_folder_of(socket);
    auto fd = folder ? connect_at_once(socket_path(folder, socket))
                     : result<unique_fd>{fail(errc::lost, "nobody is there")};
    if (!fd)
      return fail(fd.error().code, "the run's process is not reached", socket.string());
    const auto line = encode(ask);
    if (
      ::send(fd->get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size()))
      return fail(errc::lost, "the run's process is gone", socket.string());
    return connection{std::move(*fd)};
  }

  /// nullopt: nothing yet.
  result<std::optional<control_answer>> next() {
    if (const auto end = in_.find('\n'); end != std::string::npos) {
      auto answer = decode_answer(std::string_view{in_}.substr(0, end));
      in_.erase(0, end + 1);
      if (!answer)
        return tl::unexpected(answer.error());
      return std::optional{std::move(*answer)};
    }
    pollfd readable{fd_.get(), POLLIN, 0};
    if (poll(&readable, 1, look_ms) <= 0)
      return std::nullopt;
    std::array<char, 65536> bytes{};
    const auto n = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n <= 0)
      return fail(errc::lost, "the run's process is gone");
    in_.append(bytes.data(), static_cast<std::size_t>(n));
    return std::nullopt;
  }

private:
  explicit connection(unique_fd fd) : fd_(std::move(fd)) {}

  unique_fd fd_;
  std::string in_;
};

} // namespace

result<std::string> ask_run(const std::filesystem::path& socket, control_ask ask) {
  auto there = connection::to(socket, ask);
  if (!there)
    return tl::unexpected(there.error());
  const auto until = monotonic_now() + answer_patience;
  while (monotonic_now() < until) {
    const auto answer = there->next();
    if (!answer)
      return tl::unexpected(answer.error());
    if (const auto* told = *answer ? std::get_if<control_told>(&**answer) : nullptr)
      return told->text;
  }
  return fail(errc::timeout, "the run's process does not answer", socket.string());
}

result<std::optional<control_ended>> follow_run(
  const std::filesystem::path& socket, const interrupts& signals,
  const std::function<void(const std::string&)>& say) {
  auto there = connection::to(socket, control_ask::follow);
  if (!there)
    return tl::unexpected(there.error());
  while (signals.count() == 0) {
    auto answer = there->next();
    if (!answer)
      return tl::unexpected(answer.error());
    if (!*answer)
      continue;
    if (const auto* line = std::get_if<control_say>(&**answer))
      say(line->text);
    else if (auto* end = std::get_if<control_ended>(&**answer))
      return std::optional{std::move(*end)};
  }
  return std::nullopt;
}

} // namespace drover
