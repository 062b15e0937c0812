// What a link over SSH is given. Rule: plain values, so that a cluster file can fill them; whatever
// is read from the environment or asked from a person is handed in by the program.
#pragma once

#include "runtime/base/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace drover {

/// One node's way; defaults suit a cluster of machines on one network.
struct ssh_link_settings {
  std::string node; ///< its name in the cluster, for `drover node trust NODE` in errors
  std::string host; ///< name or numeric address
  std::uint16_t port = 22;
  std::string user = "root";
  std::vector<std::string> argv; ///< the agent's command; quoted for the login shell of `user`

  /// The only key that is tried. Empty: those of the ssh-agent, ed25519 and ECDSA only.
  std::string identity_file;
  /// SSH_AUTH_SOCK of the program; empty = no agent. With an encrypted identity file, the agent is
  /// asked for that key before the passphrase is.
  std::string agent_socket;
  std::string known_hosts_path;
  std::string log_path; ///< where the agent's stderr is appended to; empty = dropped

  milliseconds agent_within = std::chrono::seconds(5);     ///< each answer of the ssh-agent
  milliseconds connect_within = std::chrono::seconds(5);   ///< name look-up and TCP
  milliseconds login_within = std::chrono::seconds(20);    ///< from TCP to the agent's start
  milliseconds beat_every = std::chrono::seconds(2);       ///< of silence before the peer is asked
  milliseconds beat_within = std::chrono::seconds(6);      ///< of silence: the link is lost
  milliseconds tcp_user_timeout = std::chrono::seconds(6); ///< data that nobody acknowledges
  milliseconds close_wait = std::chrono::seconds(2);       ///< for the agent's end after `close`
  std::size_t queued_bytes_max = 16 * 1024 * 1024;         ///< more unwritten bytes close the link
};

/// Logins under way at once, from connecting until the agent's command was started. Beyond its
/// MaxStartups (10:30:100 by default) sshd drops connections at random, and on a busy machine it
/// learns late that a login has ended, so one sshd is given half of that.
struct ssh_pacing {
  std::size_t logins_max = 32;
  std::size_t logins_per_host_max = 5;
};

} // namespace drover
