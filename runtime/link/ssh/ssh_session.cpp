#include "runtime/link/ssh/ssh_session.hpp"

#include "runtime/link/ssh/kex_offer.hpp"
#include "runtime/link/ssh/ssh_bytes.hpp"

#include <libssh2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>

namespace drover::ssh {
namespace {

constexpr unsigned exec_window_bytes = 2 * 1024 * 1024;
/// The library's own, above which it splits anyway.
constexpr std::size_t write_bytes_max = 32700;
/// Freeing goes on where it stopped; more than it has parts.
constexpr int free_calls_max = 64;

std::string type_of(int libssh2_type) {
  switch (libssh2_type) {
  case LIBSSH2_HOSTKEY_TYPE_ED25519:
    return "ssh-ed25519";
  case LIBSSH2_HOSTKEY_TYPE_ECDSA_256:
    return "ecdsa-sha2-nistp256";
  case LIBSSH2_HOSTKEY_TYPE_ECDSA_384:
    return "ecdsa-sha2-nistp384";
  case LIBSSH2_HOSTKEY_TYPE_ECDSA_521:
    return "ecdsa-sha2-nistp521";
  default:
    return "unknown";
  }
}

} // namespace

bool is_library_ready() {
  static const bool ready = ::libssh2_init(0) == 0;
  return ready;
}

// -- making and ending ---------------------------------------------------------------------------

ssh_session::ssh_session(unique_fd socket) : socket_(std::move(socket)) {
  if (is_library_ready())
    session_ = ::libssh2_session_init_ex(nullptr, nullptr, nullptr, this);
}

result<std::shared_ptr<ssh_session>> ssh_session::make(
  unique_fd socket, const std::string& key_types) {
  const std::shared_ptr<ssh_session> made{new ssh_session(std::move(socket))};
  if (!made->session_)
    return fail(errc::bug, "libssh2 cannot make a session");
  ::libssh2_session_set_blocking(made->session_, 0);
  ::libssh2_session_callback_set(
    made->session_, LIBSSH2_CALLBACK_RECV, reinterpret_cast<void*>(&ssh_session::receive));
  ::libssh2_session_callback_set(
    made->session_, LIBSSH2_CALLBACK_SEND, reinterpret_cast<void*>(&ssh_session::send));
  const bool is_preferred = made->prefer(LIBSSH2_METHOD_KEX, our_methods.key_exchanges) &&
                            made->prefer(LIBSSH2_METHOD_HOSTKEY, key_types) &&
                            made->prefer(LIBSSH2_METHOD_CRYPT_CS, our_methods.ciphers) &&
                            made->prefer(LIBSSH2_METHOD_CRYPT_SC, our_methods.ciphers) &&
                            made->prefer(LIBSSH2_METHOD_MAC_CS, our_methods.macs) &&
                            made->prefer(LIBSSH2_METHOD_MAC_SC, our_methods.macs);
  if (!is_preferred)
    return fail(errc::bug, "this libssh2 lacks the methods that a link asks for");
  return made;
}

bool ssh_session::prefer(int kind, const std::string& methods) {
  return ::libssh2_session_method_pref(session_, kind, methods.c_str()) == 0;
}

void ssh_session::abandon() {
  if (abandoned_ || !session_)
    return;
  if (stage_ == stage::later && !half_sent_)
    ::libssh2_session_disconnect_ex(session_, SSH_DISCONNECT_BY_APPLICATION, "closed", "");
  abandoned_ = true;
  ::shutdown(socket_.get(), SHUT_RDWR);
}

ssh_session::~ssh_session() {
  if (!session_)
    return;
  abandon();
  // A handshake under way frees its own state only when it is told that it failed.
  if (stage_ == stage::handshake)
    ::libssh2_session_handshake(session_, socket_.get());
  for (int n = 0; n < free_calls_max; ++n)
    if (::libssh2_session_free(session_) != LIBSSH2_ERROR_EAGAIN)
      return;
}

// -- the socket ----------------------------------------------------------------------------------

ssize_t ssh_session::receive(int fd, void* into, std::size_t size, int flags, void** self) {
  auto& me = *static_cast<ssh_session*>(*self);
  if (me.abandoned_)
    return -ECONNRESET;
  const auto got = ::recv(fd, into, size, flags);
  if (got < 0)
    return -errno;
  me.received_ += static_cast<std::uint64_t>(got);
  if (me.keeps_first_bytes_ && me.first_bytes_.size() < offer_bytes_max)
    me.first_bytes_.append(static_cast<const char*>(into), static_cast<std::size_t>(got));
  return got;
}

ssize_t ssh_session::send(int fd, const void* from, std::size_t size, int flags, void** self) {
  auto& me = *static_cast<ssh_session*>(*self);
  if (me.abandoned_)
    return -EPIPE;
  const auto sent = ::send(fd, from, size, flags | MSG_NOSIGNAL);
  const int number = errno;
  me.half_sent_ = sent >= 0 ? static_cast<std::size_t>(sent) < size : number == EAGAIN;
  return sent >= 0 ? sent : -number;
}

// -- answers -------------------------------------------------------------------------------------

error ssh_session::failure(long code, const std::string& doing) {
  char* text = nullptr;
  int size = 0;
  ::libssh2_session_last_error(session_, &text, &size, 0);
  std::string detail = text && size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  detail += (detail.empty() ? "" : ", ") + std::string{"libssh2 "} + std::to_string(code);
  return {errc::lost, doing, std::move(detail)};
}

result<step> ssh_session::answer(long code, const char* doing) {
  if (code == LIBSSH2_ERROR_EAGAIN)
    return step::again;
  if (code < 0)
    return tl::unexpected<error>(failure(code, doing));
  return step::done;
}

// -- up to the command ---------------------------------------------------------------------------

result<step> ssh_session::handshake() {
  const int code = ::libssh2_session_handshake(session_, socket_.get());
  if (code == 0) {
    stage_ = stage::later;
    keeps_first_bytes_ = false;
    first_bytes_.clear();
  }
  return answer(code, "the SSH handshake failed");
}

host_key ssh_session::server_key() const {
  std::size_t size = 0;
  int type = 0;
  const char* blob = ::libssh2_session_hostkey(session_, &size, &type);
  const char* hash = ::libssh2_hostkey_hash(session_, LIBSSH2_HOSTKEY_HASH_SHA256);
  constexpr std::size_t sha256_bytes = 32;
  host_key key;
  key.type = type_of(type);
  key.blob = blob ? std::string(blob, size) : "";
  auto digest = hash ? base64({hash, sha256_bytes}) : "";
  key.fingerprint = "SHA256:" + digest.substr(0, digest.find('='));
  return key;
}

result<step> ssh_session::login_by_file(
  const std::string& user, const key_file& key, const secret* passphrase) {
  if (public_line_.empty())
    public_line_ = key.public_line();
  const int code = ::libssh2_userauth_publickey_frommemory(
    session_, user.c_str(), user.size(), public_line_.c_str(), public_line_.size(),
    key.text.c_str(), key.text.view().size(), passphrase ? passphrase->c_str() : nullptr);
  if (code == LIBSSH2_ERROR_AUTHENTICATION_FAILED)
    return fail(errc::refused, "sshd does not accept the key");
  if (code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED || code == LIBSSH2_ERROR_FILE)
    return fail(errc::invalid, "the key cannot be used: the passphrase is wrong, or it is damaged");
  return answer(code, "the login failed");
}

result<step> ssh_session::login_by_agent(const std::string& user, const std::string& blob) {
  void* self = this;
  const int code = ::libssh2_userauth_publickey(
    session_, user.c_str(), reinterpret_cast<const unsigned char*>(blob.data()), blob.size(),
    &ssh_session::sign, &self);
  if (code == LIBSSH2_ERROR_EAGAIN)
    return step::again;
  to_sign_.clear();
  signature_.reset();
  if (code == LIBSSH2_ERROR_AUTHENTICATION_FAILED || code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
    return fail(errc::refused, "sshd does not accept the key");
  return answer(code, "the login failed");
}

int ssh_session::sign(
  LIBSSH2_SESSION*, unsigned char** signature, std::size_t* size, const unsigned char* data,
  std::size_t data_size, void** self) {
  auto& me = *static_cast<ssh_session*>(*self);
  if (!me.signature_) {
    me.to_sign_.assign(reinterpret_cast<const char*>(data), data_size);
    return LIBSSH2_ERROR_EAGAIN;
  }
  me.to_sign_.clear();
  if (!*me.signature_)
    return LIBSSH2_ERROR_AGENT_PROTOCOL;
  const std::string& made = **me.signature_;
  // libssh2 frees it with its own allocator, which is malloc's.
  *signature = static_cast<unsigned char*>(std::malloc(made.size()));
  if (!*signature)
    return LIBSSH2_ERROR_ALLOC;
  std::memcpy(*signature, made.data(), made.size());
  *size = made.size();
  return 0;
}

void ssh_session::take_signature(result<std::string> signature) {
  signature_ = std::move(signature);
  to_sign_.clear();
}

result<step> ssh_session::open_channel() {
  constexpr std::string_view kind = "session";
  channel_ = ::libssh2_channel_open_ex(
    session_, kind.data(), static_cast<unsigned>(kind.size()), exec_window_bytes,
    LIBSSH2_CHANNEL_PACKET_DEFAULT, nullptr, 0);
  if (channel_)
    return step::done;
  return answer(
    ::libssh2_session_last_errno(session_),
    "sshd opens no channel (MaxSessions of its sshd_config)");
}

result<step> ssh_session::start(const std::string& command) {
  constexpr std::string_view kind = "exec";
  const int code = ::libssh2_channel_process_startup(
    channel_, kind.data(), static_cast<unsigned>(kind.size()), command.data(),
    static_cast<unsigned>(command.size()));
  return answer(code, "sshd does not start the agent's command");
}

// -- while the command runs ----------------------------------------------------------------------

result<arrival> ssh_session::read(stream from, std::span<char> into) {
  const auto got =
    ::libssh2_channel_read_ex(channel_, static_cast<int>(from), into.data(), into.size());
  if (got > 0)
    return arrival{arrival::kind::bytes, static_cast<std::size_t>(got)};
  if (got < 0 && got != LIBSSH2_ERROR_EAGAIN)
    return tl::unexpected<error>(failure(got, "the connection was lost"));
  const bool ended = got == 0 && ::libssh2_channel_eof(channel_) == 1;
  return arrival{ended ? arrival::kind::end : arrival::kind::nothing, 0};
}

result<std::size_t> ssh_session::write(std::string_view bytes) {
  const auto wrote =
    ::libssh2_channel_write_ex(channel_, 0, bytes.data(), std::min(bytes.size(), write_bytes_max));
  if (wrote >= 0)
    return static_cast<std::size_t>(wrote);
  // -39: while it drained what had arrived, it could only half send an answer to that. Nothing of
  // ours is on its way.
  if (wrote == LIBSSH2_ERROR_EAGAIN || wrote == LIBSSH2_ERROR_BAD_USE)
    return std::size_t{0};
  return tl::unexpected<error>(failure(wrote, "the connection was lost"));
}

result<step> ssh_session::end_input() {
  return answer(::libssh2_channel_send_eof(channel_), "the connection was lost");
}

result<step> ssh_session::beat() {
  // Too late for a variable, so sshd says no; what counts is that it says something, and that
  // libssh2 takes the answer.
  constexpr std::string_view name = "DROVER_BEAT";
  const int code =
    ::libssh2_channel_setenv_ex(channel_, name.data(), static_cast<unsigned>(name.size()), "", 0);
  if (code == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
    return step::done;
  return answer(code, "the connection was lost");
}

result<step> ssh_session::wait_for_exit() {
  return answer(::libssh2_channel_wait_closed(channel_), "the connection was lost");
}

std::string ssh_session::exit_text() const {
  char* name = nullptr;
  std::size_t size = 0;
  ::libssh2_channel_get_exit_signal(channel_, &name, &size, nullptr, nullptr, nullptr, nullptr);
  if (name && size > 0) {
    std::string text = "was killed by signal " + plain_text({name, size}, 20);
    ::libssh2_free(session_, name);
    return text;
  }
  return "exited with status " + std::to_string(::libssh2_channel_get_exit_status(channel_));
}

} // namespace drover::ssh
