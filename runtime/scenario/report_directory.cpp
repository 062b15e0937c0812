#include "runtime/scenario/report_directory.hpp"

#include "metrics/page/page.hpp"
#include "runtime/cluster/delay_text.hpp"
#include "runtime/program/run_report.hpp"

#include <nlohmann/json.hpp>

namespace drover {
std::string to_string(const run_key& key) {
  std::string name = key.scenario;
  if (key.how)
    name += "." + std::string{to_string(*key.how)};
  if (key.lag)
    name += ".lag-" + format_time_span(*key.lag);
  if (key.seed)
    name += ".seed-" + std::to_string(*key.seed);
  return name;
}

result<report_directory> report_directory::open(const std::filesystem::path& path) {
  if (auto prepared = prepare_report_directory(path); !prepared)
    return tl::unexpected(prepared.error());
  return report_directory{path};
}

result<done> report_directory::write_result(const run_key& key, const std::string& json) const {
  return write_report_file(path_ / (to_string(key) + ".json"), json);
}

result<done> report_directory::write_run(
  const run_key& key, const scenario_file& scenario, const run_history& history) const {
  const auto how = only_policy(scenario);
  return write_run_report(
    path_ / to_string(key),
    told_run(
      history.whole(), {to_string(key),
                        {{"scenario", scenario.name},
                         {"why", scenario.why},
                         {"policy", how ? std::string{to_string(*how)} : "several"},
                         {"store_lag", key.lag ? format_time_span(*key.lag) : ""},
                         {"seed", key.seed ? std::to_string(*key.seed) : ""},
                         {"world", key.seed ? "sim" : "local"}}}));
}

result<done> report_directory::write_comparison(const comparison& c) const {
  const auto base = path_ / (c.scenario + ".comparison");
  auto written = write_report_file(base.string() + ".json", to_json(c));
  if (written)
    written = write_report_file(base.string() + ".csv", to_csv(c));
  if (!written)
    return written;
  auto page = run_history{}.whole();
  page["title"] = c.scenario + ", policies compared";
  page["comparison"] = nlohmann::ordered_json::parse(to_json(c)).at("rows");
  page["environment"] = {{"scenario", c.scenario}, {"world", c.world}, {"drover", DROVER_VERSION}};
  return write_report_file(base.string() + ".html", report_page(page));
}

std::filesystem::path report_directory::trace_path(const run_key& key) const {
  return path_ / (to_string(key) + ".trace");
}

} // namespace drover
