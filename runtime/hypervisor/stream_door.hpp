// The one-time door through which a guest's memory comes in, and the knock at it. Rule: QEMU itself
// never listens; the agents make the connection, prove themselves, and hand it over.
//
//   target: listens on a free port          source: connects, no Nagle on both ends
//   token (64 hex digits) must come first <-- sends the token
//   its QEMU has taken the connection     --> one byte, the go-ahead
//
// A stranger (wrong token, silence for 5 s, too many others behind it) is closed and the waiting
// goes on: each is listened to beside all others, so none delays anybody. The go-ahead comes only
// when the target's QEMU reads from the connection, so that no byte of the stream is ever lost.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/time.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/hypervisor/stream_key.hpp"
#include "runtime/store/store.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

namespace drover {

/// How long a knock waits for the go-ahead. A door stays open as long as its QEMU waits: the stream
/// may have to wait for its turn on the uplink for hours.
inline constexpr milliseconds knock_deadline{10'000};
/// How long a visitor has for its token.
inline constexpr milliseconds visitor_deadline{5'000};
inline constexpr std::size_t token_digits = secret_digits;

/// Equal, in a time that does not tell how far they are.
bool tokens_equal(std::string_view a, std::string_view b);

/// Target's end. Lets in as many connections as the stream has, all with the same token.
class stream_door : public std::enable_shared_from_this<stream_door> {
public:
  /// `admitted` is called once for each connection, later; the door closes before the last call.
  static result<std::shared_ptr<stream_door>> open(
    asio::io_context& loop, const std::string& address, std::string token,
    callback<unique_fd> admitted, std::uint32_t connections = 1);

  std::uint16_t port() const { return port_; }
  /// Nobody else is let in; nothing is called any more.
  void close();

private:
  /// Connections that have not sent their token yet; one more drops the oldest.
  static constexpr std::size_t visitors_max = 64;

  struct visitor {
    explicit visitor(asio::ip::tcp::socket s)
      : socket(std::move(s)), patience(socket.get_executor()), token(token_digits, '\0') {}
    asio::ip::tcp::socket socket;
    asio::steady_timer patience;
    std::string token;
    std::size_t read = 0;
  };

  stream_door(
    asio::io_context& loop, std::string token, callback<unique_fd> admitted,
    std::uint32_t connections);
  result<void> listen_at(const std::string& address);
  void accept_next();
  void listen_to(const std::shared_ptr<visitor>& who);
  void lose_patience_later(const std::shared_ptr<visitor>& who);
  void turn_away(const std::shared_ptr<visitor>& who);
  void admit(const std::shared_ptr<visitor>& who);

  asio::ip::tcp::acceptor acceptor_;
  std::string token_;
  callback<unique_fd> admitted_;
  std::uint32_t connections_left_;
  std::list<std::shared_ptr<visitor>> visitors_;
  std::uint16_t port_ = 0;
  bool open_ = true;
};

/// Tells the source that the target's QEMU reads from the connection.
result<void> give_go_ahead(int connection);
inline result<void> give_go_ahead(const unique_fd& connection) {
  return give_go_ahead(connection.get());
}

/// Source's end: connects, sends the token, waits for the go-ahead.
class stream_knock : public std::enable_shared_from_this<stream_knock> {
public:
  /// `answer` is called once, later. Errors: `retry` nobody opened, `refused` turned away; in
  /// either case nothing was streamed.
  static std::shared_ptr<stream_knock> knock(
    asio::io_context& loop, const std::string& host, std::uint16_t port, std::string token,
    callback<unique_fd> answer);
  /// Nothing is called any more.
  void close();

private:
  stream_knock(asio::io_context& loop, std::string token, callback<unique_fd> answer);
  void send_token();
  void await_go_ahead();
  void finish(result<unique_fd> outcome);

  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  std::string token_;
  char go_ahead_ = 0;
  callback<unique_fd> answer_;
};

} // namespace drover
