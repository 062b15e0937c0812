// What Prometheus would scrape while an evacuation runs.
#include "tests/system/lab.hpp"

#include <arpa/inet.h>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

std::string get(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string page;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      std::array<char, 65536> bytes{};
      for (ssize_t n; (n = recv(fd, bytes.data(), bytes.size(), 0)) > 0;)
        page.append(bytes.data(), static_cast<std::size_t>(n));
    }
  }
  close(fd);
  return page;
}

} // namespace

TEST_CASE("the metrics page shows an evacuation while it runs", "[system]") {
  std::vector<lab_vm> vms;
  for (std::uint32_t i = 0; i < 6; ++i)
    vms.push_back({100 + i, "n1", 64, 1, 0});
  vms.push_back({150, "n1", 8192, 100, 8});
  lab l{vms};
  l.start_all();
  running_program controller{l.command({"evacuate", "n1", "--metrics", "127.0.0.1:0"})};
  const std::string mark = "metrics at http://127.0.0.1:";
  REQUIRE(controller.wait_until(
    [&](const auto& seen) { return seen.err.find("moved, pause") != std::string::npos; }, 60s));
  std::string port_text;
  controller.wait_until(
    [&](const auto& seen) {
      const auto at = seen.err.find(mark);
      port_text = at == std::string::npos ? "" : seen.err.substr(at + mark.size(), 5);
      return !port_text.empty();
    },
    5s);
  REQUIRE_FALSE(port_text.empty());
  const auto page = get(static_cast<std::uint16_t>(std::stoi(port_text)));
  INFO(page);
  for (const auto* series :
       {"drover_migrations_total{", "result=\"moved\"", "policy=\"ticket\"",
        "drover_migrations_in_flight{", "drover_migration_pause_seconds_bucket{",
        "segment=\"blackout\"", "segment=\"handover\"", "segment=\"total\"",
        "drover_permit_wait_seconds", "drover_node_vms{", "drover_evacuation_remaining_bytes{",
        "drover_build_info{"})
    CHECK(page.find(series) != std::string::npos);
  controller.signal(SIGINT); // The last VM writes faster than its stream may carry.
  const auto ended = controller.finish(60s);
  INFO(ended.err);
  CHECK(ended.exit_code == 4);
}
