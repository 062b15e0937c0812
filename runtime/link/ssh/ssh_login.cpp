#include "runtime/link/ssh/ssh_login.hpp"

#include "runtime/link/ssh/agent_wire.hpp"
#include "runtime/link/ssh/command_text.hpp"
#include "runtime/link/ssh/login_errors.hpp"
#include "runtime/link/ssh/name_lookup.hpp"

#include <asio/connect.hpp>
#include <netinet/tcp.h>
#include <utility>

namespace drover::ssh {

ssh_login::ssh_login(std::shared_ptr<ssh_shared> shared, ssh_link_settings settings, finished tell)
  : shared_(std::move(shared)), settings_(std::move(settings)), tell_(std::move(tell)),
    socket_(shared_->context()), timer_(shared_->context()) {}

void ssh_login::begin() {
  auto command = command_text(settings_.argv);
  if (!command)
    return end(tl::unexpected<error>(command.error()));
  command_ = std::move(*command);
  search_ = std::make_shared<credential_search>(
    shared_, settings_, [weak = weak_from_this()](result<credentials> what) {
      if (const auto self = weak.lock())
        self->found(std::move(what));
    });
  search_->begin();
}

void ssh_login::found(result<credentials> what) {
  if (!what)
    return end(tl::unexpected<error>(what.error()));
  credentials_ = std::move(*what);
  search_ = nullptr;
  phase_ = phase::queued;
  ticket_ =
    shared_->enter(known_hosts_name(settings_.host, settings_.port), [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self && self->phase_ == phase::queued)
        self->look_up();
    });
}

// -- TCP -----------------------------------------------------------------------------------------

void ssh_login::look_up() {
  phase_ = phase::connecting;
  deadline(settings_.connect_within);
  asio::error_code no_address;
  const auto address = asio::ip::make_address(settings_.host, no_address);
  if (!no_address)
    return connect({{address, settings_.port}});
  shared_->help([weak = weak_from_this(), host = settings_.host, port = settings_.port] {
    return [weak, addresses = addresses_of(host, port)] {
      const auto self = weak.lock();
      if (!self || self->phase_ != phase::connecting)
        return;
      if (addresses)
        self->connect(*addresses);
      else
        self->end(tl::unexpected<error>(addresses.error()));
    };
  });
}

void ssh_login::connect(std::vector<asio::ip::tcp::endpoint> addresses) {
  addresses_ = std::move(addresses);
  asio::async_connect(
    socket_, addresses_, [weak = weak_from_this()](const asio::error_code& failed, const auto&) {
      const auto self = weak.lock();
      if (!self || self->phase_ != phase::connecting)
        return;
      if (failed)
        return self->end(
          fail(errc::lost, "cannot connect to " + self->peer() + ": " + failed.message()));
      self->connected();
    });
}

void ssh_login::connected() {
  const auto user_timeout = static_cast<unsigned>(settings_.tcp_user_timeout.count());
  const int on = 1;
  const int fd = socket_.native_handle();
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
  asio::error_code failed;
  socket_.non_blocking(true, failed);
  unique_fd connection(socket_.release(failed));
  if (failed)
    return end(fail(errc::lost, "cannot connect to " + peer() + ": " + failed.message()));
  auto made = ssh_session::make(std::move(connection), host_key_types_to_ask(credentials_.known));
  if (!made)
    return end(tl::unexpected<error>(made.error()));
  session_ = std::move(*made);
  watch_.emplace(shared_->context(), session_->fd(), [weak = weak_from_this()] {
    if (const auto self = weak.lock())
      self->advance();
  });
  phase_ = phase::handshaking;
  deadline(settings_.login_within);
  advance();
}

// -- SSH -----------------------------------------------------------------------------------------

void ssh_login::advance() {
  while (phase_ != phase::ended && !is_elsewhere_ && !is_signing_) {
    auto made = next_step();
    if (!made)
      return end(tl::unexpected<error>(in_context(std::move(made.error()))));
    if (is_elsewhere_ || is_signing_)
      return;
    if (*made == step::again)
      return wait();
    if (!done_step())
      return;
  }
}

result<step> ssh_login::next_step() {
  switch (phase_) {
  case phase::handshaking:
    return session_->handshake();
  case phase::logging_in:
    return log_in();
  case phase::opening:
    return session_->open_channel();
  default:
    return session_->start(command_);
  }
}

bool ssh_login::done_step() {
  if (phase_ == phase::handshaking) {
    const auto checked = check_host_key(
      credentials_.known, session_->server_key(),
      {settings_.node, known_hosts_name(settings_.host, settings_.port),
       settings_.known_hosts_path});
    if (!checked) {
      end(tl::unexpected<error>(checked.error()));
      return false;
    }
    phase_ = phase::logging_in;
  } else if (phase_ == phase::logging_in) {
    phase_ = phase::opening;
  } else if (phase_ == phase::opening) {
    phase_ = phase::starting;
  } else {
    end(std::exchange(session_, nullptr));
    return false;
  }
  return true;
}

result<step> ssh_login::log_in() {
  if (credentials_.agent)
    return log_in_by_agent();
  if (!credentials_.passphrase)
    return session_->login_by_file(settings_.user, *credentials_.file, nullptr);
  if (elsewhere_)
    return *std::exchange(elsewhere_, std::nullopt);
  log_in_elsewhere();
  return step::again;
}

void ssh_login::log_in_elsewhere() {
  is_elsewhere_ = true;
  shared_->help([weak = weak_from_this(), session = session_, user = settings_.user,
                 file = credentials_.file, given = credentials_.passphrase] {
    // Also what comes back `again`: only libssh2 knows which of its calls decrypts the key.
    return [weak, made = session->login_by_file(user, *file, given.get())] {
      const auto self = weak.lock();
      if (!self || self->phase_ != phase::logging_in)
        return;
      self->is_elsewhere_ = false;
      if (made && *made == step::again)
        return self->wait();
      self->elsewhere_ = made;
      self->advance();
    };
  });
}

result<step> ssh_login::log_in_by_agent() {
  while (true) {
    auto made = session_->login_by_agent(settings_.user, credentials_.agent_keys[agent_key_]);
    const bool is_refused = !made && made.error().code == errc::refused;
    if (is_refused && agent_key_ + 1 < credentials_.agent_keys.size()) {
      ++agent_key_;
      continue;
    }
    if (made && *made == step::again && !session_->to_sign().empty())
      ask_signature();
    return made;
  }
}

void ssh_login::ask_signature() {
  is_signing_ = true;
  credentials_.agent->ask(
    agent_sign_request(credentials_.agent_keys[agent_key_], session_->to_sign()),
    [weak = weak_from_this()](const result<std::string>& answer) {
      const auto self = weak.lock();
      if (!self || self->phase_ != phase::logging_in)
        return;
      if (!answer)
        return self->end(tl::unexpected<error>(answer.error()));
      self->is_signing_ = false;
      self->session_->take_signature(agent_signature(*answer));
      self->advance();
    });
}

void ssh_login::wait() {
  watch_->wait(
    session_->is_half_sent() ? socket_watch::wish::writable : socket_watch::wish::readable);
}

// -- the end -------------------------------------------------------------------------------------

void ssh_login::deadline(milliseconds wait) {
  timer_.expires_after(wait);
  timer_.async_wait([weak = weak_from_this(), wait](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->phase_ == phase::ended)
      return;
    const bool is_connected = self->phase_ != phase::connecting;
    self->end(fail(
      errc::timeout,
      (is_connected ? "the login at " : "cannot connect to ") + self->peer() +
        (is_connected ? " did not end in time" : ": no answer in time"),
      std::to_string(wait.count()) + " ms"));
  });
}

std::string ssh_login::peer() const {
  return settings_.host + ":" + std::to_string(settings_.port);
}

error ssh_login::in_context(error why) const {
  if (phase_ == phase::handshaking)
    return handshake_error(
      std::move(why),
      {settings_.node, peer(), session_->first_bytes(), host_key_types_to_ask(credentials_.known)});
  if (phase_ == phase::logging_in)
    return login_error(std::move(why));
  why.context += (why.context.empty() ? "" : ", ") + peer();
  return why;
}

error ssh_login::login_error(error why) const {
  if (why.code == errc::invalid && credentials_.passphrase)
    shared_->forget_passphrase(settings_.identity_file, credentials_.passphrase);
  return drover::ssh::login_error(
    std::move(why), {settings_.user, settings_.host, settings_.port, settings_.identity_file,
                     credentials_.agent_keys.size()});
}

void ssh_login::leave_gate() {
  if (const auto ticket = std::exchange(ticket_, std::nullopt))
    shared_->leave(*ticket);
}

void ssh_login::end(result<std::shared_ptr<ssh_session>> outcome) {
  const auto tell = std::exchange(tell_, nullptr);
  const auto self = shared_from_this();
  cancel();
  if (tell)
    tell(std::move(outcome));
}

void ssh_login::cancel() {
  phase_ = phase::ended;
  tell_ = nullptr;
  timer_.cancel();
  leave_gate();
  if (const auto search = std::exchange(search_, nullptr))
    search->cancel();
  if (credentials_.agent)
    credentials_.agent->close();
  asio::error_code ignored;
  socket_.close(ignored);
  watch_.reset();
  // A helper thread may still have it; it drops it then.
  session_ = nullptr;
}

} // namespace drover::ssh
