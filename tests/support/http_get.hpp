// One GET to a server on loopback, as simple as a test needs it.
#pragma once

#include <cstdint>
#include <string>

namespace drover::testing {

struct http_answer {
  int status = 0; ///< 0 where no answer came
  std::string head;
  std::string body;
};

/// Waits at most 10 s for each part of the answer.
http_answer http_get(
  std::uint16_t port, const std::string& path, const std::string& more_headers = {},
  const std::string& method = "GET", const std::string& host = "localhost");

/// A connection to a port of loopback, or -1.
int open_connection(std::uint16_t port);

/// As in "?query=...".
std::string url_encoded(const std::string& text);

} // namespace drover::testing
