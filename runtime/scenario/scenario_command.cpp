#include "runtime/scenario/scenario_command.hpp"

#include "runtime/program/run_result.hpp"
#include "runtime/scenario/local_run.hpp"
#include "runtime/scenario/scenario_paths.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace drover {
namespace {

constexpr int passed = static_cast<int>(outcome_code::all_moved);
constexpr int not_passed = static_cast<int>(outcome_code::usage_or_internal);

int complain(const error& e) {
  std::fprintf(stderr, "drover: %s\n", to_string(e).c_str());
  return not_passed;
}

struct by_world {
  std::vector<scenario_file> sim;
  std::vector<scenario_file> local;
};

result<by_world> read_all(const run_options& c) {
  const auto paths = scenario_paths(c.scenario);
  if (!paths)
    return tl::unexpected(paths.error());
  by_world all;
  for (const auto& path : *paths) {
    auto scenario = read_scenario_file(path);
    if (!scenario)
      return tl::unexpected(scenario.error());
    const auto usual =
      scenario->worlds.contains(world_kind::local) ? world_kind::local : world_kind::sim;
    const auto world = c.world.value_or(usual);
    if (const auto why_not = objection_to(*scenario, world); !why_not.empty())
      return fail(errc::invalid, why_not);
    if (world == world_kind::sim && !c.keep.empty())
      return fail(
        errc::invalid,
        path.string() + ": it is played in the simulated world, which has no --keep");
    scenario->stream = c.stream.value_or(scenario->stream);
    scenario->channels = c.channels.value_or(scenario->channels);
    (world == world_kind::sim ? all.sim : all.local).push_back(std::move(*scenario));
  }
  return all;
}

} // namespace

int run_scenario_command(const options& o, const run_options& c, const scenario_runner& simulated) {
  const auto all = read_all(c);
  if (!all)
    return complain(all.error());
  if (!all->sim.empty() && !simulated)
    return complain({errc::bug, "this program has no simulated world", {}});
  const int local = all->local.empty() ? passed : run_in_local_world(o, c, all->local);
  const int sim = all->sim.empty() ? passed : simulated(o, c, all->sim);
  return local != passed ? local : sim;
}

} // namespace drover
