// Debian's Prometheus with drover's rules and alerts, scraping one address. Rule: it lives in the
// directory of its test and ends with it.
#pragma once

#include "tests/support/run_program.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace drover::testing {

class prometheus_server {
public:
  /// Scrapes 127.0.0.1:`target` and evaluates the rules twice a second; returns when it does.
  prometheus_server(const std::filesystem::path& room, std::uint16_t target);
  ~prometheus_server();

  /// "data" of /api/v1/<what>; fails the test where that is no success.
  nlohmann::json ask(const std::string& what) const;
  /// What an instant query returns.
  nlohmann::json query(const std::string& expression) const;
  /// The value of a query that returns exactly one.
  std::optional<double> number(const std::string& expression) const;
  /// Asks again until the query's one value is `expected`.
  bool wait_for(
    const std::string& expression, double expected, std::chrono::seconds patience) const;

private:
  std::uint16_t port_ = 0;
  std::unique_ptr<running_program> server_;
};

} // namespace drover::testing
