// One libssh2 session on a connected socket, never blocking. Rule: a call that answers `again` is
// called again with the same arguments once the socket moved, and while `is_half_sent()` nothing
// else is called: libssh2 refuses every other packet then (-39) or loses its place. Used by one
// thread at a time, not always the same one.
//
// What libssh2 1.10 does that one would not expect, and where it is dealt with:
//  1 writing swallows what has arrived, and the socket never becomes readable for it: whoever
//    writes reads again before it waits (ssh_pipe::pump).
//  2 exit status and signal are there only after the channel's close, and read 0 after a lost
//    connection: the transport's error is looked at first (ssh_pipe::after_output).
//  3 it asks for the host key type that it likes best, also when known_hosts has another: the types
//    to ask for are given to `make` (host_key_types_to_ask).
//  4 RSA signs with SHA-1 only, which sshd refuses: such keys are refused before (read_key_file,
//    agent_keys), and such hosts by name (nothing_in_common).
//  5 hardened servers share no method with it, which it does not explain: the first bytes are kept
//    and read (first_bytes, kex_offer).
//  6 its ssh-agent calls block without limit: they are not used (agent_client, which signs while
//    `login_by_agent` answers `again`).
//  7 its keep-alive never looks for the answer, and queues the answers for ever: `beat` asks in the
//    channel and takes the answer; TCP_USER_TIMEOUT tells a network that is gone.
//  8 the death of the other side reads as -43 (sshd) or as end of file (the agent): ssh_pipe tells
//    which.
//  9 decrypting a key takes a tenth of a second of the calling thread: such a login is made on a
//    helper thread (ssh_login::log_in_elsewhere).
// 10 it may raise SIGPIPE, and freeing answers `again` in the middle: send and receive are our own
//    (MSG_NOSIGNAL), and after `abandon` they fail at once, so that freeing ends.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/link/child_process.hpp"
#include "runtime/link/ssh/key_file.hpp"
#include "runtime/link/ssh/known_hosts.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>

using LIBSSH2_SESSION = struct _LIBSSH2_SESSION;
using LIBSSH2_CHANNEL = struct _LIBSSH2_CHANNEL;

namespace drover::ssh {

/// libssh2 is made ready once, before any thread uses it; false when it cannot be.
bool is_library_ready();

enum class step : std::uint8_t { done, again };

/// What a read found.
struct arrival {
  enum class kind : std::uint8_t { bytes, nothing, end } what = kind::nothing;
  std::size_t size = 0;
};

enum class stream : std::uint8_t { output = 0, errors = 1 };

class ssh_session {
public:
  /// `socket` is connected and does not block; `key_types` of hosts are asked for in this order.
  static result<std::shared_ptr<ssh_session>> make(unique_fd socket, const std::string& key_types);
  ssh_session(const ssh_session&) = delete;
  ssh_session& operator=(const ssh_session&) = delete;
  ~ssh_session();

  // -- up to the command, in this order
  [[nodiscard]] result<step> handshake();
  host_key server_key() const;
  /// `passphrase` is null for a plain key; of an encrypted one, this takes a tenth of a second.
  [[nodiscard]] result<step> login_by_file(
    const std::string& user, const key_file& key, const secret* passphrase);
  /// Answers `again` with `to_sign` set until `take_signature` was called.
  [[nodiscard]] result<step> login_by_agent(const std::string& user, const std::string& blob);
  const std::string& to_sign() const { return to_sign_; }
  /// An error gives this key up.
  void take_signature(result<std::string> signature);
  [[nodiscard]] result<step> open_channel();
  [[nodiscard]] result<step> start(const std::string& command);

  // -- while the command runs
  [[nodiscard]] result<arrival> read(stream from, std::span<char> into);
  /// 0 = nothing now, because of the socket or of the peer's window.
  [[nodiscard]] result<std::size_t> write(std::string_view bytes);
  [[nodiscard]] result<step> end_input();
  /// Asks the peer's sshd for a sign of life; `done` when it came.
  [[nodiscard]] result<step> beat();
  /// After the end of its output: `done` when the peer has told how the command ended.
  [[nodiscard]] result<step> wait_for_exit();
  /// "exited with status 3", "was killed by signal KILL".
  std::string exit_text() const;

  bool is_half_sent() const { return half_sent_; }
  std::uint64_t bytes_received() const { return received_; }
  /// What came before the encryption began; empty once the handshake is done.
  std::string_view first_bytes() const { return first_bytes_; }
  int fd() const { return socket_.get(); }
  /// Says goodbye if that can be done at once; afterwards every call fails.
  void abandon();

private:
  explicit ssh_session(unique_fd socket);
  bool prefer(int kind, const std::string& methods);
  static ssize_t receive(int fd, void* into, std::size_t size, int flags, void** self);
  static ssize_t send(int fd, const void* from, std::size_t size, int flags, void** self);
  static int sign(
    LIBSSH2_SESSION* session, unsigned char** signature, std::size_t* size,
    const unsigned char* data, std::size_t data_size, void** self);
  /// libssh2's return code as an answer.
  result<step> answer(long code, const char* doing);
  error failure(long code, const std::string& doing);

  unique_fd socket_;
  LIBSSH2_SESSION* session_ = nullptr;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  std::string first_bytes_;
  bool keeps_first_bytes_ = true;
  std::uint64_t received_ = 0;
  bool half_sent_ = false;
  bool abandoned_ = false;
  enum class stage : std::uint8_t { handshake, later } stage_ = stage::handshake;
  std::string to_sign_;
  std::optional<result<std::string>> signature_;
  std::string public_line_; ///< of the login under way
};

} // namespace drover::ssh
