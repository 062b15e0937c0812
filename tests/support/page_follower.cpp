#include "tests/support/page_follower.hpp"

#include "tests/support/http_get.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace drover::testing {

void page_follower::follow(std::uint16_t port, mono_time until, std::size_t enough) {
  const int fd = open_connection(port);
  REQUIRE(fd >= 0);
  const std::string request = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
  REQUIRE(
    send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
  std::string text;
  std::array<char, 65536> buffer{};
  std::map<std::int64_t, std::size_t> by_second;
  const auto begin = monotonic_now();
  while (monotonic_now() < until && moved.size() < enough) {
    const auto n = recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0)
      break;
    bytes += static_cast<std::size_t>(n);
    by_second[(monotonic_now() - begin) / std::chrono::seconds{1}] += static_cast<std::size_t>(n);
    text.append(buffer.data(), static_cast<std::size_t>(n));
    for (auto end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n")) {
      if (const auto at = text.rfind("data: ", end); at != std::string::npos)
        take(text.substr(at + 6, end - at - 6));
      text.erase(0, end + 2);
    }
  }
  close(fd);
  followed_s = seconds(monotonic_now() - begin);
  for (const auto& [number, sum] : by_second)
    most_in_a_second = std::max(most_in_a_second, sum);
}

void page_follower::take(const std::string& data) {
  ++updates;
  const auto update = nlohmann::json::parse(data, nullptr, false);
  INFO(data.substr(0, 200));
  REQUIRE(update.is_object());
  for (const auto& vm : update.at("vms"))
    if (vm.value("result", "") == "moved")
      moved.insert(vm.at("vm").get<std::uint32_t>());
}

} // namespace drover::testing
