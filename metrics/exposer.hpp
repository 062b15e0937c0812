// Serves the registry over HTTP as /metrics. Rule: loopback only, since nothing guards the page; a
// broken address or a busy port is an error, never an exception.
#pragma once

#include "runtime/base/error.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace prometheus {
class Exposer;
class Registry;
} // namespace prometheus

namespace drover {

struct listen_address {
  std::string host; ///< a numeric loopback address
  std::uint16_t port = 0;
  bool operator==(const listen_address&) const = default;
};

/// "HOST:PORT" with HOST localhost or 127.x.y.z; port 0 lets the kernel choose.
result<listen_address> parse_listen_address(std::string_view text);

class metrics_exposer {
public:
  /// Listens on `address` ("HOST:PORT") until destroyed. Keeps `registry` alive meanwhile.
  static result<std::unique_ptr<metrics_exposer>> open(
    std::string_view address, std::shared_ptr<prometheus::Registry> registry);
  ~metrics_exposer();

  /// "127.0.0.1:9187": the port is the bound one, also when 0 was asked for.
  std::string address() const;
  std::uint16_t port() const { return bound_.port; }

private:
  metrics_exposer(
    listen_address bound, std::unique_ptr<prometheus::Exposer> server,
    std::shared_ptr<prometheus::Registry> registry);

  listen_address bound_;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<prometheus::Exposer> server_;
};

} // namespace drover
