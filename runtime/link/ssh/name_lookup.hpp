// A host's addresses. Rule: it may take as long as the resolver likes, so the loop asks on a helper
// thread; each call has its own, so that one dead name server costs one login.
#pragma once

#include "runtime/base/error.hpp"

#include <asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace drover::ssh {

/// In the order in which they are to be tried; never empty.
result<std::vector<asio::ip::tcp::endpoint>> addresses_of(
  const std::string& host, std::uint16_t port);

} // namespace drover::ssh
