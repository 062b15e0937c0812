#include "tests/bench/figures.hpp"

#include <algorithm>
#include <map>

namespace drover::bench {

using nlohmann::ordered_json;

namespace {

constexpr double mib = 1024.0 * 1024.0;

} // namespace

int streams_at_once(const bench_point& at) {
  if (at.streams == "all")
    return at.vms;
  return at.streams == "default" ? streams_usually : std::stoi(at.streams);
}

int prepared_at_once(const bench_point& at) {
  return std::max(prepared_usually, streams_at_once(at));
}

double quantile(std::vector<double> values, double share) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(values.size()) + 0.999999);
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

ordered_json medians(int vms, const std::vector<round_figures>& rounds) {
  std::vector<std::pair<std::string, std::vector<double>>> all;
  std::map<std::string, std::size_t> places;
  const auto add = [&](const std::string& name, double value) {
    const auto [place, is_new] = places.emplace(name, all.size());
    if (is_new)
      all.push_back({name, {}});
    all[place->second].second.push_back(value);
  };
  for (const auto& one : rounds) {
    add("pause_p50_ms", quantile(one.pauses_s, 0.5) * 1000);
    add("pause_p99_ms", quantile(one.pauses_s, 0.99) * 1000);
    add("pause_max_ms", quantile(one.pauses_s, 1) * 1000);
    add("makespan_s", one.makespan_s);
    add("migrations_per_s", vms / one.makespan_s);
    add("controller_cpu_ms", one.used.controller_s * 1000 / vms);
    add("agents_cpu_ms", one.used.agents_s * 1000 / vms);
    add("qemu_cpu_ms", one.qemu_s * 1000 / vms);
    add("controller_peak_mib", static_cast<double>(one.used.controller_bytes) / mib);
    add("agent_peak_mib", static_cast<double>(one.used.agent_bytes) / mib);
    add("failed", one.failed);
  }
  ordered_json told;
  for (const auto& [name, values] : all)
    told[name] = quantile(values, 0.5);
  return told;
}

ordered_json ratios(const ordered_json& ours, const ordered_json& theirs) {
  ordered_json told;
  for (const auto& [name, value] : ours.items())
    if (theirs.contains(name) && theirs.at(name).get<double>() > 0)
      told[name] = value.get<double>() / theirs.at(name).get<double>();
  return told;
}

} // namespace drover::bench
