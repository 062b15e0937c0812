// A QMP connection on a unix socket. Rule: every command has a deadline and is answered once,
// later, on the loop's thread; after `close` nothing is called any more. The protocol is in
// qmp_session.hpp.
#pragma once

#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/qmp_session.hpp"
#include "runtime/store/store.hpp"

#include <array>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

namespace drover {

/// What a client tells its owner. `lost` is the last call.
struct qmp_listener {
  std::function<void(const qmp_ready&)> on_ready;
  std::function<void(const qmp_event&)> on_event;
  std::function<void(const error&)> on_lost;
};

class qmp_client : public std::enable_shared_from_this<qmp_client> {
public:
  /// Unix sockets connect at once: the socket's own backlog holds us until QEMU accepts.
  static result<std::shared_ptr<qmp_client>> connect(
    asio::io_context& loop, const std::filesystem::path& path, qmp_listener listener);
  ~qmp_client();

  bool is_open() const { return open_; }
  bool is_ready() const { return open_ && session_.is_ready(); }

  /// Errors: `refused` with QEMU's text; `retry` it was never given to QEMU; `timeout` and `lost`
  /// it may have been carried out.
  void call(
    std::string_view command, const nlohmann::json& arguments, milliseconds deadline,
    callback<nlohmann::json> answer);
  /// The same, with a descriptor that travels with the command (`getfd`).
  void call_with_fd(
    std::string_view command, const nlohmann::json& arguments, unique_fd fd, milliseconds deadline,
    callback<nlohmann::json> answer);

  /// Takes in what QEMU wrote before it went away; for an owner that knows that it is gone.
  void drain();
  void close();

private:
  qmp_client(asio::io_context& loop, qmp_listener listener);

  struct waiting {
    std::string command;
    std::chrono::steady_clock::time_point deadline;
    callback<nlohmann::json> answer;
    unique_fd fd; ///< until it was sent
  };

  void read_more();
  void take_in(std::string_view bytes);
  void take(const qmp_item& item);
  void write_more();
  /// Writes `writing_`; false when the socket is full or broken.
  bool write_some();
  void wait_writable();
  void arm_timer();
  void expire();
  void lose(error why);

  asio::local::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  std::optional<std::chrono::steady_clock::time_point> armed_;
  qmp_listener listener_;
  qmp_session session_;
  std::map<std::uint64_t, waiting> waiting_;
  std::optional<qmp_session::outgoing> writing_;
  bool waits_writable_ = false;
  bool open_ = true;
  std::array<char, 16384> buffer_{};
};

} // namespace drover
