#include "runtime/link/ssh/name_lookup.hpp"

#include <cstring>
#include <memory>
#include <netdb.h>

namespace drover::ssh {

result<std::vector<asio::ip::tcp::endpoint>> addresses_of(
  const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &list);
  if (code != 0)
    return fail(
      code == EAI_AGAIN ? errc::retry : errc::invalid,
      "cannot find the address of " + host + ": " + ::gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<asio::ip::tcp::endpoint> found;
  for (const auto* one = list; one; one = one->ai_next) {
    asio::ip::tcp::endpoint address;
    if (one->ai_addrlen > address.capacity())
      continue;
    std::memcpy(address.data(), one->ai_addr, one->ai_addrlen);
    address.resize(one->ai_addrlen);
    found.push_back(address);
  }
  if (found.empty())
    return fail(errc::invalid, "cannot find the address of " + host);
  return found;
}

} // namespace drover::ssh
