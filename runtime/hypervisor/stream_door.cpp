#include "runtime/hypervisor/stream_door.hpp"

#include <array>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <sys/socket.h>

namespace drover {

namespace {

using tcp = asio::ip::tcp;

constexpr char go_ahead_byte = 'g';

error failure_of(errc code, const std::string& what, const asio::error_code& failure) {
  return {code, what, failure.message()};
}

/// The descriptor of a connection, without asio; Nagle would hold back the end of the stream, which
/// is the pause: 40 ms were measured.
unique_fd taken_from(tcp::socket& socket) {
  asio::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  return unique_fd(socket.release(ignored));
}

} // namespace

bool tokens_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size())
    return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

// -- the door ------------------------------------------------------------------------------------

stream_door::stream_door(
  asio::io_context& loop, std::string token, callback<unique_fd> admitted,
  std::uint32_t connections)
  : acceptor_(loop), token_(std::move(token)), admitted_(std::move(admitted)),
    connections_left_(connections) {}

result<std::shared_ptr<stream_door>> stream_door::open(
  asio::io_context& loop, const std::string& address, std::string token,
  callback<unique_fd> admitted, std::uint32_t connections) {
  std::shared_ptr<stream_door> door(
    new stream_door(loop, std::move(token), std::move(admitted), connections));
  if (auto listening = door->listen_at(address); !listening)
    return tl::unexpected(listening.error());
  door->accept_next();
  return door;
}

result<void> stream_door::listen_at(const std::string& address) {
  asio::error_code failure;
  const auto ip = asio::ip::make_address(address, failure);
  if (failure)
    return fail(errc::invalid, "the migration address is no IP address", address);
  const tcp::endpoint any_port(ip, 0);
  acceptor_.open(any_port.protocol(), failure);
  if (!failure)
    acceptor_.bind(any_port, failure);
  if (!failure)
    acceptor_.listen(tcp::acceptor::max_listen_connections, failure);
  if (failure)
    return tl::unexpected(failure_of(errc::retry, "cannot listen at " + address, failure));
  port_ = acceptor_.local_endpoint(failure).port();
  return {};
}

void stream_door::accept_next() {
  acceptor_.async_accept(
    [self = shared_from_this()](const asio::error_code& failure, tcp::socket socket) {
      if (!self->open_)
        return;
      if (!failure) {
        // Silent strangers give way to whoever comes after them.
        if (self->visitors_.size() >= visitors_max)
          self->visitors_.pop_front();
        const auto who = std::make_shared<visitor>(std::move(socket));
        self->visitors_.push_back(who);
        self->lose_patience_later(who);
        self->listen_to(who);
      }
      self->accept_next();
    });
}

void stream_door::listen_to(const std::shared_ptr<visitor>& who) {
  const auto rest = asio::buffer(who->token.data() + who->read, who->token.size() - who->read);
  who->socket.async_read_some(
    rest, [self = shared_from_this(), who](const asio::error_code& failure, std::size_t n) {
      if (!self->open_)
        return;
      who->read += n;
      if (failure)
        return self->turn_away(who);
      // Judged as a whole only: a stranger could otherwise find out the token digit by digit.
      if (who->read < token_digits)
        return self->listen_to(who);
      if (!tokens_equal(who->token, self->token_))
        return self->turn_away(who);
      self->admit(who);
    });
}

void stream_door::lose_patience_later(const std::shared_ptr<visitor>& who) {
  who->patience.expires_after(visitor_deadline);
  who->patience.async_wait(
    [weak = weak_from_this(), late = std::weak_ptr(who)](const asio::error_code& cancelled) {
      const auto self = weak.lock();
      const auto still = late.lock();
      if (self && still && !cancelled && self->open_)
        self->turn_away(still);
    });
}

void stream_door::turn_away(const std::shared_ptr<visitor>& who) {
  visitors_.remove(who);
  asio::error_code ignored;
  who->socket.close(ignored);
}

void stream_door::close() {
  open_ = false;
  admitted_ = {};
  asio::error_code ignored;
  acceptor_.close(ignored);
  visitors_.clear();
}

void stream_door::admit(const std::shared_ptr<visitor>& who) {
  const auto keep = shared_from_this();
  const auto admitted = admitted_;
  who->patience.cancel();
  visitors_.remove(who);
  auto connection = taken_from(who->socket);
  if (--connections_left_ == 0)
    close();
  admitted(std::move(connection));
}

result<void> give_go_ahead(int connection) {
  if (::send(connection, &go_ahead_byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
    return fail(errc::lost, "the source has gone from the door");
  return {};
}

// -- the knock -----------------------------------------------------------------------------------

stream_knock::stream_knock(asio::io_context& loop, std::string token, callback<unique_fd> answer)
  : socket_(loop), timer_(loop), token_(std::move(token)), answer_(std::move(answer)) {}

std::shared_ptr<stream_knock> stream_knock::knock(
  asio::io_context& loop, const std::string& host, std::uint16_t port, std::string token,
  callback<unique_fd> answer) {
  std::shared_ptr<stream_knock> self(new stream_knock(loop, std::move(token), std::move(answer)));
  asio::error_code failure;
  const auto ip = asio::ip::make_address(host, failure);
  if (failure) {
    asio::post(loop, [self, host] {
      self->finish(fail(errc::invalid, "the door's address is no IP address", host));
    });
    return self;
  }
  self->timer_.expires_after(knock_deadline);
  self->timer_.async_wait([weak = std::weak_ptr(self)](const asio::error_code& cancelled) {
    if (const auto alive = weak.lock(); alive && !cancelled)
      alive->finish(fail(errc::retry, "the door did not open in time"));
  });
  self->socket_.async_connect({ip, port}, [self](const asio::error_code& refused) {
    if (refused)
      return self->finish(
        tl::unexpected(failure_of(errc::retry, "cannot connect to the target", refused)));
    self->send_token();
  });
  return self;
}

void stream_knock::send_token() {
  if (!answer_)
    return;
  asio::async_write(
    socket_, asio::buffer(token_),
    [self = shared_from_this()](const asio::error_code& failure, std::size_t) {
      if (failure)
        return self->finish(
          tl::unexpected(failure_of(errc::retry, "the target closed the door", failure)));
      self->await_go_ahead();
    });
}

void stream_knock::await_go_ahead() {
  if (!answer_)
    return;
  // Exactly one byte: what follows belongs to QEMU.
  asio::async_read(
    socket_, asio::buffer(&go_ahead_, 1),
    [self = shared_from_this()](const asio::error_code& failure, std::size_t) {
      if (failure || self->go_ahead_ != go_ahead_byte)
        return self->finish(
          tl::unexpected(failure_of(errc::refused, "the target turned us away", failure)));
      self->finish(taken_from(self->socket_));
    });
}

void stream_knock::close() {
  answer_ = {};
  timer_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
}

void stream_knock::finish(result<unique_fd> outcome) {
  if (!answer_)
    return;
  const auto keep = shared_from_this();
  const auto answer = std::exchange(answer_, {});
  close();
  answer(std::move(outcome));
}

} // namespace drover
