#include "tests/support/http_get.hpp"

#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <cstdio>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace drover::testing {

int open_connection(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(port);
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0)
    return fd;
  close(fd);
  return -1;
}

http_answer http_get(
  std::uint16_t port, const std::string& path, const std::string& more_headers,
  const std::string& method, const std::string& host) {
  const int fd = open_connection(port);
  if (fd < 0)
    return {};
  // HTTP 1.0: the answer ends with the connection, and nothing is chunked.
  const auto request =
    method + " " + path + " HTTP/1.0\r\nHost: " + host + "\r\n" + more_headers + "\r\n";
  std::string all;
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    std::array<char, 65536> bytes{};
    for (ssize_t n; (n = recv(fd, bytes.data(), bytes.size(), 0)) > 0;)
      all.append(bytes.data(), static_cast<std::size_t>(n));
  }
  close(fd);
  http_answer answer;
  const auto end = all.find("\r\n\r\n");
  if (end == std::string::npos)
    return answer;
  answer.head = all.substr(0, end);
  answer.body = all.substr(end + 4);
  std::sscanf(answer.head.c_str(), "HTTP/%*s %d", &answer.status);
  return answer;
}

std::string url_encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += c;
      continue;
    }
    std::array<char, 4> code{};
    std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned char>(c));
    out += code.data();
  }
  return out;
}

} // namespace drover::testing
