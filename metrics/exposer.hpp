// Serves what a run shows over HTTP: /metrics for Prometheus, a live page, and the same as JSON.
// Rule: read-only; loopback only, unless a token guards it; a broken address or a busy port is an
// error, never an exception. No library beside Debian's cpp-httplib serves anything.
//
//   /metrics                  the series, in Prometheus' text format
//   /                         the live page, with /view.css, /view.js, /live.js
//   /events                   what has changed, as server-sent events
//   /api/evacuations[/ID]     the evacuations, or one with its migrations
#pragma once

#include "metrics/page/run_history.hpp"
#include "runtime/base/error.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace prometheus {
class Registry;
}

namespace drover {

struct listen_address {
  std::string host; ///< a numeric address
  std::uint16_t port = 0;
  bool operator==(const listen_address&) const = default;
};

/// "HOST:PORT" with HOST localhost or a numeric IPv4 address; port 0 lets the kernel choose. Beyond
/// loopback only with a `token`.
result<listen_address> parse_listen_address(std::string_view text, std::string_view token = {});

struct exposer_settings {
  std::string address; ///< HOST:PORT
  std::shared_ptr<prometheus::Registry> registry;
  std::shared_ptr<const run_history> history;
  /// Every request for data has to bring it, as "Authorization: Bearer TOKEN" or "?token=TOKEN";
  /// empty = loopback only, and whoever is there may look.
  std::string token;
};

class metrics_exposer {
public:
  static constexpr std::size_t token_length_min = 16;
  /// More pages than this at a time are told to come later, so that Prometheus is always served.
  static constexpr unsigned pages_max = 16;
  /// A page gets at most four updates a second.
  static constexpr unsigned update_interval_ms = 300;

  /// Listens until destroyed.
  static result<std::unique_ptr<metrics_exposer>> open(exposer_settings settings);
  ~metrics_exposer();

  /// "127.0.0.1:9187": the port is the bound one, also when 0 was asked for.
  std::string address() const;
  std::uint16_t port() const { return bound_.port; }

private:
  class server;
  metrics_exposer(listen_address bound, std::unique_ptr<server> running);

  listen_address bound_;
  std::unique_ptr<server> server_;
};

} // namespace drover
