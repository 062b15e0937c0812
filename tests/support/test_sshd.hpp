// An sshd of a test's own on loopback: its own keys, config and port in a temporary directory.
// Rule: it is started and ended by pid, and takes all its sessions with it; nothing of the
// machine's own SSH set-up is read or written.
//
// As root it needs /run/sshd (made here) and serves any user; otherwise only the user who runs it.
#pragma once

#include "tests/support/run_program.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover::testing {

struct test_sshd_options {
  std::vector<std::string> host_key_types{"ed25519"};
  /// Lines of sshd_config; the first value of a word counts, and these come first.
  std::vector<std::string> config;
  std::uint16_t port = 0; ///< 0 = a free one
};

class test_sshd {
public:
  /// Throws when there is no sshd on this machine or it does not start.
  explicit test_sshd(test_sshd_options options = {});
  ~test_sshd();
  test_sshd(const test_sshd&) = delete;
  test_sshd& operator=(const test_sshd&) = delete;

  std::uint16_t port() const { return options_.port; }
  const std::filesystem::path& directory() const { return directory_.path(); }
  /// A key that may log in, not encrypted.
  std::string identity() const { return file("login"); }
  /// The user who runs the test: the only one who can surely log in.
  static std::string user();
  /// "ssh-ed25519 AAAA..." of a host key.
  std::string host_key_line(const std::string& type = "ed25519") const;
  /// A known_hosts file that knows all its keys.
  std::string known_hosts() const;
  /// Of a file in its directory.
  std::string file(const std::string& name) const { return directory_.path() / name; }
  /// Adds the public key at `path` to those that may log in.
  void authorize(const std::string& path) const;
  std::string log() const;

  pid_t pid() const { return listener_ ? listener_->pid() : 0; }
  /// The processes that serve a connection each.
  std::vector<pid_t> sessions() const;
  /// The commands that they run.
  std::vector<pid_t> commands() const;
  void signal_sessions(int number) const;
  /// SIGKILL for the listener, and for the sessions too.
  void kill_all();
  /// Ends the listener only; sessions live on, as they do when a package is upgraded.
  void stop_listening();
  void start();

private:
  void write_config() const;

  temporary_directory directory_;
  test_sshd_options options_;
  std::unique_ptr<running_program> listener_;
  mutable std::vector<pid_t> seen_; ///< sessions, of listeners that are gone too
};

/// Makes a key pair at `path` and `path`.pub.
void make_key(
  const std::string& path, const std::string& type = "ed25519", const std::string& passphrase = "");

std::string text_of(const std::string& path);
void write_text(const std::string& path, const std::string& text);

/// An ssh-agent of a test's own, ended with it.
class test_ssh_agent {
public:
  test_ssh_agent();
  /// An unencrypted key.
  void add(const std::string& identity) const;
  std::string socket() const { return directory_.path() / "agent"; }
  pid_t pid() const { return process_->pid(); }

private:
  temporary_directory directory_;
  std::unique_ptr<running_program> process_;
};

} // namespace drover::testing
