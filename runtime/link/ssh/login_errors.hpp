// What to tell when a login fails. Rule: pure; the text names what the peer wants and the command
// or the line that mends it, and nothing of a key but where it lies.
#pragma once

#include "runtime/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace drover::ssh {

struct handshake_facts {
  std::string node; ///< for `drover node trust NODE`; empty where that is what is being done
  std::string peer; ///< "host:port"
  std::string_view first_bytes; ///< what the peer sent before the encryption began
  std::string host_key_types_asked;
};
error handshake_error(error why, const handshake_facts& of);

struct login_names {
  std::string user;
  std::string host;
  std::uint16_t port = 22;
  std::string identity_file;
  std::size_t agent_keys = 0; ///< how many were tried
};
error login_error(error why, const login_names& who);

} // namespace drover::ssh
