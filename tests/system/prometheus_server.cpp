#include "tests/system/prometheus_server.hpp"

#include "tests/support/free_port.hpp"
#include "tests/support/http_get.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>

namespace drover::testing {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const std::string mixin = std::string{DROVER_SOURCE} + "/metrics/prometheus/";

bool becomes_true(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  for (auto left = patience / 100ms; left > 0; --left) {
    if (condition())
      return true;
    std::this_thread::sleep_for(100ms);
  }
  return false;
}

} // namespace

prometheus_server::prometheus_server(const std::filesystem::path& room, std::uint16_t target)
  : port_(free_port()) {
  const auto config = room / "prometheus.yml";
  std::ofstream{config} << "global: {scrape_interval: 500ms, evaluation_interval: 500ms}\n"
                        << "rule_files: ['" << mixin << "rules.yml', '" << mixin << "alerts.yml']\n"
                        << "scrape_configs:\n- job_name: drover\n  static_configs:\n"
                        << "  - targets: ['127.0.0.1:" << target << "']\n";
  server_ = std::make_unique<running_program>(std::vector<std::string>{
    "prometheus", "--config.file=" + config.string(),
    "--storage.tsdb.path=" + (room / "tsdb").string(),
    "--web.listen-address=127.0.0.1:" + std::to_string(port_), "--log.level=warn"});
  INFO("prometheus comes with Debian's package of that name, which tests/run.sh installs");
  REQUIRE(becomes_true([this] { return http_get(port_, "/-/ready").status == 200; }, 30s));
  REQUIRE(becomes_true([this] { return !ask("targets").at("activeTargets").empty(); }, 30s));
}

prometheus_server::~prometheus_server() {
  server_->signal(SIGTERM);
  server_->finish(20s);
}

json prometheus_server::ask(const std::string& what) const {
  const auto answer = http_get(port_, "/api/v1/" + what);
  INFO(what << ": " << answer.body);
  const auto parsed = json::parse(answer.body, nullptr, false);
  REQUIRE(parsed.is_object());
  REQUIRE(parsed.at("status") == "success");
  return parsed.at("data");
}

json prometheus_server::query(const std::string& expression) const {
  return ask("query?query=" + url_encoded(expression)).at("result");
}

std::optional<double> prometheus_server::number(const std::string& expression) const {
  const auto result = query(expression);
  if (result.size() != 1)
    return std::nullopt;
  return std::stod(result.at(0).at("value").at(1).get<std::string>());
}

bool prometheus_server::wait_for(
  const std::string& expression, double expected, std::chrono::seconds patience) const {
  return becomes_true([&] { return number(expression) == expected; }, patience);
}

} // namespace drover::testing
