#include "metrics/exposer.hpp"

#include "metrics/recorder.hpp"
#include "tests/metrics/samples.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

using namespace drover;

namespace {

/// GET /metrics: the whole answer, or nothing where no connection came about.
std::string scrape(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(fd >= 0);
  const timeval limit{5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(port);
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0) {
    const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    REQUIRE(send(fd, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
    std::array<char, 4096> buffer{};
    for (ssize_t n; (n = recv(fd, buffer.data(), buffer.size(), 0)) > 0;)
      answer.append(buffer.data(), static_cast<std::size_t>(n));
  }
  close(fd);
  return answer;
}

} // namespace

TEST_CASE("a metrics address is a loopback host and a port", "[metrics]") {
  CHECK(parse_listen_address("127.0.0.1:9187") == listen_address{"127.0.0.1", 9187});
  CHECK(parse_listen_address("localhost:0") == listen_address{"127.0.0.1", 0});
  CHECK(parse_listen_address("127.8.9.1:65535") == listen_address{"127.8.9.1", 65535});
}

TEST_CASE("a broken metrics address is refused with the reason", "[metrics]") {
  const std::vector<std::pair<std::string, std::string>> broken{
    {"", "must be HOST:PORT"},
    {"9187", "must be HOST:PORT"},
    {":9187", "must be HOST:PORT"},
    {"127.0.0.1", "must be HOST:PORT"},
    {"127.0.0.1:", "number from 0 to 65535"},
    {"127.0.0.1:65536", "number from 0 to 65535"},
    {"127.0.0.1:-1", "number from 0 to 65535"},
    {"127.0.0.1:9187x", "number from 0 to 65535"},
    {"127.0.0.1: 9187", "number from 0 to 65535"},
    {"0.0.0.0:9187", "loopback only"},
    {"10.0.0.1:9187", "loopback only"},
    {"example.org:9187", "loopback only"},
    {"127.0.0.1.evil:9187", "loopback only"},
    {"[::1]:9187", "loopback only"},
    {"127.0.0.1:9187,0.0.0.0:80", "loopback only"},
  };
  for (const auto& [text, reason] : broken) {
    INFO(text);
    const auto parsed = parse_listen_address(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == errc::invalid);
    CHECK(parsed.error().what.find(reason) != std::string::npos);
    CHECK(parsed.error().context == text);
  }
}

TEST_CASE("the exposer serves what the recorder counted", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  metrics_recorder recorder{registry, wall_time{}};
  const auto server = metrics_exposer::open("localhost:0", registry);
  REQUIRE(server);
  REQUIRE((*server)->port() != 0);
  CHECK((*server)->address() == "127.0.0.1:" + std::to_string((*server)->port()));
  recorder.take(samples::at(0, retried{node_id{"a"}, "receive", "", "step_failed"}));
  const auto page = scrape((*server)->port());
  CHECK(page.find("200 OK") != std::string::npos);
  CHECK(page.find("drover_build_info") != std::string::npos);
  CHECK(
    page.find(R"(drover_retries_total{cause="step_failed",method="receive"} 1)") !=
    std::string::npos);
}

TEST_CASE("a busy port is an error, not an exception", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  const auto first = metrics_exposer::open("127.0.0.1:0", registry);
  REQUIRE(first);
  const auto second = metrics_exposer::open((*first)->address(), registry);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::refused);
  CHECK(second.error().context == (*first)->address());
}

TEST_CASE("an exposer that is gone listens no more", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  auto server = metrics_exposer::open("127.0.0.1:0", registry);
  REQUIRE(server);
  const auto port = (*server)->port();
  REQUIRE_FALSE(scrape(port).empty());
  server->reset();
  CHECK(scrape(port).empty());
}
