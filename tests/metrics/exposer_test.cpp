#include "metrics/exposer.hpp"

#include "metrics/recorder.hpp"
#include "tests/metrics/samples.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/page_follower.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <prometheus/registry.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace drover;
using namespace drover::testing;

namespace {

/// GET `path`: the whole answer, or nothing where no connection came about.
std::string get(std::uint16_t port, const std::string& path, const std::string& headers = {}) {
  const auto answer = http_get(port, path, headers);
  return answer.head.empty() ? std::string{} : answer.head + "\n\n" + answer.body;
}

std::string scrape(std::uint16_t port) { return get(port, "/metrics"); }

result<std::unique_ptr<metrics_exposer>> open_at(
  const std::string& address, std::shared_ptr<prometheus::Registry> registry,
  std::shared_ptr<const run_history> history = std::make_shared<run_history>(),
  const std::string& token = {}) {
  return metrics_exposer::open({address, std::move(registry), std::move(history), token});
}

/// 500 VMs in four seconds, 32 of them on their way at a time, each telling its stream ten times.
void evacuate_five_hundred(run_history& history) {
  constexpr std::uint32_t vms = 500;
  constexpr std::uint32_t at_once = 32;
  const auto tell = [&history](auto body) {
    history.take(trace_event{wall_now(), std::move(body)});
  };
  tell(evacuation_started{node_id{"n1"}, vms, vms * 1000});
  for (std::uint32_t i = 0; i < vms; ++i)
    tell(migration_planned{vm_id{100 + i}, node_id{"n1"}, node_id{"n2"}, policy::ticket, 1000});
  for (std::uint32_t i = 0; i < vms; ++i)
    tell(phase_changed{vm_id{100 + i}, epoch{1}, "waiting", "beginning"});
  for (std::uint32_t first = 0; first < vms; first += at_once) {
    const auto last = std::min(vms, first + at_once);
    for (std::uint32_t step = 0; step < 10; ++step) {
      for (auto i = first; i < last; ++i) {
        tell(phase_changed{vm_id{100 + i}, epoch{1}, "", "streaming"});
        tell(stream_moved{vm_id{100 + i}, epoch{1}, step * 100, 1000 - step * 100, 1000, step});
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{25});
    }
    for (auto i = first; i < last; ++i) {
      auto end = samples::ended_well();
      end.vm = vm_id{100 + i};
      end.reason = {};
      tell(end);
    }
  }
  tell(evacuation_ended{node_id{"n1"}, "all_moved", vms, 0});
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
  const auto server = open_at("localhost:0", registry);
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
  const auto first = open_at("127.0.0.1:0", registry);
  REQUIRE(first);
  const auto second = open_at((*first)->address(), registry);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::refused);
  CHECK(second.error().context == (*first)->address());
}

TEST_CASE("an exposer that is gone listens no more", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  auto server = open_at("127.0.0.1:0", registry);
  REQUIRE(server);
  const auto port = (*server)->port();
  REQUIRE_FALSE(scrape(port).empty());
  server->reset();
  CHECK(scrape(port).empty());
}

TEST_CASE("the page and its API tell of the run, and nothing may be sent to them", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  auto history = std::make_shared<run_history>();
  for (const auto& event : samples::evacuation())
    history->take(event);
  const auto server = open_at("127.0.0.1:0", registry, history);
  REQUIRE(server);
  const auto port = (*server)->port();
  const auto page = http_get(port, "/");
  CHECK(page.status == 200);
  CHECK(
    page.head.find("Content-Security-Policy: default-src 'none'; script-src 'self'") !=
    std::string::npos);
  CHECK(page.body.find("unsafe-inline") == std::string::npos);
  CHECK(page.body.find("http:") == std::string::npos);
  CHECK(page.body.find("https:") == std::string::npos);
  for (const auto* part : {"/view.js", "/live.js", "/view.css"}) {
    CHECK(http_get(port, part).status == 200);
    CHECK(page.body.find(part) != std::string::npos);
  }
  const auto all = nlohmann::json::parse(http_get(port, "/api/evacuations").body);
  REQUIRE(all.size() == 1);
  CHECK(all[0].at("node") == "a");
  const auto one = nlohmann::json::parse(http_get(port, "/api/evacuations/1").body);
  CHECK(one.at("migrations").size() == 2);
  CHECK(http_get(port, "/api/evacuations/7").status == 404);
  CHECK(http_get(port, "/nothing").status == 404);
  CHECK(http_get(port, "/../etc/passwd").status >= 400);
  CHECK(http_get(port, "/metrics", {}, "POST").status == 405);
  CHECK(http_get(port, "/metrics", {}, "DELETE").status == 405);
}

TEST_CASE("without a token a foreign name for this host is turned away", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  const auto server = open_at("127.0.0.1:0", registry);
  REQUIRE(server);
  CHECK(http_get((*server)->port(), "/metrics", {}, "GET", "evil.example:80").status == 403);
  CHECK(http_get((*server)->port(), "/metrics", {}, "GET", "127.0.0.1:9187").status == 200);
}

TEST_CASE("with a token data is only for who brings it, also beyond loopback", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  metrics_recorder recorder{registry, wall_time{}};
  const std::string token = "0123456789abcdef";
  const auto history = std::make_shared<run_history>();
  const auto server = open_at("0.0.0.0:0", registry, history, token);
  REQUIRE(server);
  const auto port = (*server)->port();
  for (const auto* path : {"/metrics", "/api/evacuations", "/api/evacuations/1", "/events"}) {
    INFO(path);
    CHECK(http_get(port, path).status == 401);
    CHECK(http_get(port, path, "Authorization: Bearer 0123456789abcdeX\r\n").status == 401);
    CHECK(http_get(port, std::string{path} + "?token=").status == 401);
  }
  CHECK(http_get(port, "/metrics", "Authorization: Bearer " + token + "\r\n").status == 200);
  CHECK(http_get(port, "/api/evacuations?token=" + token).status == 200);
  CHECK_FALSE(open_at("0.0.0.0:0", registry));
  const auto weak = open_at("127.0.0.1:0", registry, history, "short");
  REQUIRE_FALSE(weak);
  CHECK(weak.error().what.find("at least 16 characters") != std::string::npos);
}

TEST_CASE("a page that follows 500 VMs stays usable", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  auto history = std::make_shared<run_history>();
  const auto server = open_at("127.0.0.1:0", registry, history);
  REQUIRE(server);
  std::jthread run{[history] { evacuate_five_hundred(*history); }};
  page_follower page;
  page.follow((*server)->port(), monotonic_now() + std::chrono::seconds{7});
  WARN(
    "500 VMs: " << page.updates << " updates in " << page.followed_s << " s, " << page.bytes / 1000
                << " kB; in the busiest second " << page.most_in_a_second / 1000 << " kB");
  CHECK(page.moved.size() == 500);
  CHECK(static_cast<double>(page.updates) <= 1 + 4 * page.followed_s);
  CHECK(page.most_in_a_second < 200'000);
}

TEST_CASE("open pages keep Prometheus from nothing, and too many are told so", "[metrics]") {
  auto registry = std::make_shared<prometheus::Registry>();
  metrics_recorder recorder{registry, wall_time{}};
  auto server = open_at("127.0.0.1:0", registry);
  REQUIRE(server);
  const auto port = (*server)->port();
  std::vector<int> pages;
  const std::string request = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (unsigned i = 0; i < metrics_exposer::pages_max; ++i) {
    pages.push_back(open_connection(port));
    REQUIRE(send(pages.back(), request.data(), request.size(), 0) > 0);
    std::array<char, 256> some{};
    REQUIRE(recv(pages.back(), some.data(), some.size(), 0) > 0);
  }
  CHECK(http_get(port, "/events").status == 503);
  CHECK(http_get(port, "/metrics").status == 200);
  const auto begin = monotonic_now();
  server->reset(); // With every page open.
  CHECK(monotonic_now() - begin < std::chrono::seconds{5});
  for (const int fd : pages)
    close(fd);
}
