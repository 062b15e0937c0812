#include "metrics/exposer.hpp"

#include <arpa/inet.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>

#include <charconv>
#include <exception>

namespace drover {
namespace {

constexpr std::string_view shape = "HOST:PORT, for example 127.0.0.1:9187";

result<std::uint16_t> parse_port(std::string_view text, const std::string& whole) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, port);
  if (text.empty() || code != std::errc{} || stop != end)
    return fail(errc::invalid, "the port must be a number from 0 to 65535", whole);
  return port;
}

bool is_loopback(const std::string& host) {
  in_addr parsed{};
  return inet_pton(AF_INET, host.c_str(), &parsed) == 1 && (ntohl(parsed.s_addr) >> 24) == 127;
}

} // namespace

result<listen_address> parse_listen_address(std::string_view text) {
  const std::string whole{text};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0)
    return fail(errc::invalid, "a metrics address must be " + std::string{shape}, whole);
  const auto port = parse_port(text.substr(colon + 1), whole);
  if (!port)
    return tl::unexpected{port.error()};
  std::string host{text.substr(0, colon)};
  if (host == "localhost")
    host = "127.0.0.1";
  if (!is_loopback(host))
    return fail(
      errc::invalid,
      "metrics are served on loopback only (localhost or 127.x.y.z), because nothing guards the "
      "page: put an authenticating proxy before it to read it from elsewhere",
      whole);
  return listen_address{host, *port};
}

result<std::unique_ptr<metrics_exposer>> metrics_exposer::open(
  std::string_view address, std::shared_ptr<prometheus::Registry> registry) {
  auto wanted = parse_listen_address(address);
  if (!wanted)
    return tl::unexpected{wanted.error()};
  try {
    auto server =
      std::make_unique<prometheus::Exposer>(wanted->host + ":" + std::to_string(wanted->port));
    const auto ports = server->GetListeningPorts();
    if (ports.empty())
      return fail(errc::refused, "the metrics server has no port", std::string{address});
    wanted->port = static_cast<std::uint16_t>(ports.front());
    server->RegisterCollectable(registry);
    return std::unique_ptr<metrics_exposer>{
      new metrics_exposer{*wanted, std::move(server), std::move(registry)}};
  } catch (const std::exception&) {
    // The library's text names its own internals; a bind that fails is the one cause known.
    return fail(
      errc::refused, "cannot listen for metrics: is the port in use or privileged?",
      std::string{address});
  }
}

metrics_exposer::metrics_exposer(
  listen_address bound, std::unique_ptr<prometheus::Exposer> server,
  std::shared_ptr<prometheus::Registry> registry)
  : bound_(std::move(bound)), registry_(std::move(registry)), server_(std::move(server)) {}

metrics_exposer::~metrics_exposer() = default;

std::string metrics_exposer::address() const {
  return bound_.host + ":" + std::to_string(bound_.port);
}

} // namespace drover
