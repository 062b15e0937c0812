#include "runtime/scenario/comparison.hpp"

#include "runtime/cluster/delay_text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

constexpr double ms_per_s = 1000;

std::string figure_text(const comparison_row& r, double distribution::*figure) {
  return r.pause ? fmt::format("{:.2f}", (*r.pause).*figure * ms_per_s) : "-";
}

ordered_json figure_json(const comparison_row& r, double distribution::*figure) {
  return r.pause ? ordered_json((*r.pause).*figure * ms_per_s) : ordered_json(nullptr);
}

ordered_json json_of(const comparison_row& r) {
  return {
    {"policy", std::string{to_string(r.how)}},
    {"lag_ms", seconds(r.lag) * ms_per_s},
    {"moved", r.moved},
    {"races", r.races},
    {"stuck", r.stuck},
    {"pause_p50_ms", figure_json(r, &distribution::p50)},
    {"pause_p99_ms", figure_json(r, &distribution::p99)},
    {"pause_max_ms", figure_json(r, &distribution::max)},
    {"store_operations_in_pauses", r.operations_in_pauses},
    {"store_operations_outside_pauses", r.operations_outside_pauses},
    {"wrong", r.wrong}};
}

/// Operations for each VM that moved: what a policy costs does not depend on how many there were.
std::string per_vm(std::uint64_t operations, const comparison_row& r) {
  if (r.moved == 0)
    return "-";
  return fmt::format("{:.1f}", static_cast<double>(operations) / r.moved);
}

} // namespace

comparison_row row_of(
  policy how, nanoseconds lag, const scenario_file& scenario, const played_scenario& played,
  std::size_t wrong) {
  comparison_row row;
  row.how = how;
  row.lag = lag;
  row.moved = played.result.moved;
  row.races = played.races;
  row.stuck = static_cast<std::uint32_t>(stuck_vms(scenario, played).size());
  row.pause = played.result.pause;
  row.operations_in_pauses = played.intrusions.size();
  row.operations_outside_pauses = played.operations_outside_pauses;
  row.wrong = static_cast<std::uint32_t>(wrong);
  return row;
}

result<std::vector<comparison_row>> compare(
  const std::vector<nanoseconds>& lags, const row_maker& play) {
  const std::vector<nanoseconds> usual(comparison_lags.begin(), comparison_lags.end());
  std::vector<comparison_row> rows;
  for (const auto how : all_policies)
    for (const auto lag : lags.empty() ? usual : lags) {
      auto row = play(how, lag);
      if (!row)
        return tl::unexpected(row.error());
      rows.push_back(*row);
    }
  return rows;
}

std::optional<double> pause_growth(const comparison& c, policy how) {
  const comparison_row* first = nullptr;
  const comparison_row* last = nullptr;
  for (const auto& r : c.rows)
    if (r.how == how) {
      first = first ? first : &r;
      last = &r;
    }
  if (!first || first == last || !first->pause || !last->pause || first->pause->p50 <= 0)
    return std::nullopt;
  return last->pause->p50 / first->pause->p50;
}

std::string to_table(const comparison& c) {
  std::string out =
    fmt::format("{} in the {} world; store operations per VM that moved\n\n", c.scenario, c.world);
  auto into = std::back_inserter(out);
  fmt::format_to(
    into, "{:<8} {:>6} {:>6} {:>6} {:>6} {:>10} {:>10} {:>10} {:>9} {:>9}  {}\n", "POLICY", "LAG",
    "MOVED", "RACES", "STUCK", "P50 ms", "P99 ms", "MAX ms", "IN PAUSE", "OUTSIDE", "VERDICT");
  for (const auto& r : c.rows)
    fmt::format_to(
      into, "{:<8} {:>6} {:>6} {:>6} {:>6} {:>10} {:>10} {:>10} {:>9} {:>9}  {}\n",
      to_string(r.how), format_time_span(r.lag), r.moved, r.races, r.stuck,
      figure_text(r, &distribution::p50), figure_text(r, &distribution::p99),
      figure_text(r, &distribution::max), per_vm(r.operations_in_pauses, r),
      per_vm(r.operations_outside_pauses, r), r.wrong == 0 ? "passed" : "failed");
  out += "\nmedian pause at the last lag, as a multiple of that at the first:";
  for (const auto how : all_policies)
    if (const auto growth = pause_growth(c, how))
      fmt::format_to(into, " {} {:.2f}", to_string(how), *growth);
  return out + "\n";
}

std::string to_json(const comparison& c) {
  ordered_json rows = ordered_json::array();
  for (const auto& r : c.rows)
    rows.push_back(json_of(r));
  ordered_json growth = ordered_json::object();
  for (const auto how : all_policies)
    if (const auto factor = pause_growth(c, how))
      growth[std::string{to_string(how)}] = *factor;
  const ordered_json whole = {
    {"scenario", c.scenario}, {"world", c.world}, {"rows", rows}, {"pause_growth", growth}};
  return whole.dump(2) + "\n";
}

std::string to_csv(const comparison& c) {
  std::string out = "scenario,world";
  const auto names = json_of(comparison_row{});
  for (const auto& [key, value] : names.items())
    out += "," + key;
  out += "\n";
  for (const auto& r : c.rows) {
    out += c.scenario + "," + c.world;
    const auto values = json_of(r);
    for (const auto& [key, value] : values.items())
      out += "," + (value.is_string() ? value.get<std::string>()
                    : value.is_null() ? std::string{}
                                      : value.dump());
    out += "\n";
  }
  return out;
}

} // namespace drover
