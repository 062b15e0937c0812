// An etcd cluster of a test's own on loopback: real members, each a process that the test starts,
// kills, stops and continues by its pid. Goes with the test.
#pragma once

#include "tests/contracts/store_rig.hpp"

#include "runtime/store/etcd_store.hpp"

#include <csignal>
#include <cstddef>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover::contracts {

enum class etcd_security : std::uint8_t {
  plain,
  /// TLS with certificates on both sides, and the user root with a password.
  tls_and_login,
};

/// Where etcd is not installed no test of it can run, and the tests install it: then it is an
/// error.
class etcd_members {
public:
  explicit etcd_members(std::size_t count = 3, etcd_security security = etcd_security::plain);
  ~etcd_members();
  etcd_members(const etcd_members&) = delete;
  etcd_members& operator=(const etcd_members&) = delete;

  /// How the cluster is reached; its endpoints in the order of the members.
  etcd::access reached() const;
  const std::filesystem::path& directory() const { return directory_.path(); }

  void kill(std::size_t which);
  /// After kill: the member comes back with what it had.
  void start(std::size_t which);
  void stop(std::size_t which) { signal(which, SIGSTOP); }
  void go_on(std::size_t which) { signal(which, SIGCONT); }
  /// Waits until writes are taken.
  void wait_ready();
  std::size_t leader();

private:
  struct process {
    std::string client_url;
    std::string peer_url;
    pid_t pid = 0;
  };
  void signal(std::size_t which, int what);

  void make_certificate();
  void enable_login();

  etcd_security security_;
  bool has_login_ = false;
  temporary_directory directory_;
  std::vector<process> members_;
};

} // namespace drover::contracts
