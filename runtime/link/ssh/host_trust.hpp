// What `drover node trust NODE` does: fetch the key that a host shows, show its fingerprint, note
// it in known_hosts. Rule: for programs, not for the loop: both calls block. Nothing is noted that
// the operator was not shown.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/link/ssh/host_files.hpp"

#include <cstdint>
#include <string>

namespace drover::ssh {

/// The key of the type that a link would ask for. Nobody is logged in.
result<host_key> fetch_host_key(
  const std::string& host, std::uint16_t port, milliseconds connect_within,
  milliseconds handshake_within);

} // namespace drover::ssh
