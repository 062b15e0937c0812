// Hosts of a scenario's own, as far as the network goes: a namespace each, with two interfaces.
// Rule: everything bears the room's random name and is gone after `close`; nothing of the machine's
// own network is changed.
//
//   drover, 198.18.N.254 --- bridge m --- eth0, 198.18.N.i of host i     the way of the logins
//                            bridge s --- eth1, 198.19.N.i of host i     the way of the streams
//
// 198.18.0.0/15 is set aside for tests between networks (RFC 2544).
#pragma once

#include "runtime/base/error.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

class host_network {
public:
  /// `refused` where namespaces or bridges are not allowed; then nothing is left of the attempt.
  static result<host_network> make(const std::filesystem::path& room, std::size_t hosts);

  std::string login_address(std::size_t host) const;
  std::string stream_address(std::size_t host) const;
  /// What a command line begins with that runs on the host.
  std::vector<std::string> on(std::size_t host) const;

  /// Nothing passes between drover and the host, and nobody is told.
  result<done> set_login_way(std::size_t host, bool up) const;

  /// Ends what still runs on the hosts, then removes all; what could not be removed.
  std::vector<std::string> close();

private:
  host_network(std::filesystem::path room, std::size_t hosts);
  result<done> build();
  result<done> configure(std::size_t host) const;
  result<done> run_batch(
    const std::vector<std::string>& options, const std::string& name,
    const std::string& lines) const;
  std::string space(std::size_t host) const;
  std::string wire(const char* bridge, std::size_t host) const;
  std::vector<pid_t> processes() const;

  std::filesystem::path room_;
  std::string tag_; ///< what is random in the room's name
  std::size_t hosts_ = 0;
  unsigned net_ = 0; ///< the third number of the addresses
};

} // namespace drover
