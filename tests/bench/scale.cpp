#include "tests/bench/scale.hpp"

#include "tests/bench/evacuation.hpp"
#include "tests/bench/table.hpp"

#include <fmt/format.h>
#include <map>

namespace drover::bench {

using nlohmann::ordered_json;

namespace {

/// `moving` VMs leave n1; the others run on the three nodes that they go to.
round_figures play(int running, int moving, const std::vector<std::string>& limits) {
  std::vector<int> on_nodes{moving};
  for (int left = 3, rest = running - moving; left > 0; --left) {
    on_nodes.push_back(rest / left);
    rest -= rest / left;
  }
  const bench_cluster cluster{{on_nodes}};
  return evacuate(cluster, limits);
}

ordered_json compare(
  const std::string& name, const scale_sizes& sizes, const std::vector<std::string>& limits,
  int rounds) {
  std::map<int, std::vector<round_figures>> played;
  for (int round = 0; round < rounds; ++round)
    for (const int moving :
         round % 2 == 0 ? std::vector{sizes.few, sizes.many} : std::vector{sizes.many, sizes.few})
      played[moving].push_back(play(sizes.running, moving, limits));
  const auto few = medians(sizes.few, played[sizes.few]);
  const auto many = medians(sizes.many, played[sizes.many]);
  const auto ratio = ratios(many, few);
  say(table_row(sizes.few, "default", name, few));
  say(table_row(sizes.many, "default", name, many));
  say(ratio_row(fmt::format("{}/{} VMs", sizes.many, sizes.few), ratio));
  return {{"few", few}, {"many", many}, {"ratio", ratio}};
}

} // namespace

ordered_json measure_scale(const scale_sizes& sizes, int rounds) {
  say(fmt::format("{} VMs run on four nodes; so many of them leave one:", sizes.running));
  say(table_head());
  ordered_json told{{"running", sizes.running}, {"rounds", rounds}};
  told["default_limits"] = compare("default limits", sizes, {}, rounds);
  told["all_prepared"] =
    compare("all prepared", sizes, {"--max-prepare", std::to_string(sizes.many)}, rounds);
  return told;
}

} // namespace drover::bench
