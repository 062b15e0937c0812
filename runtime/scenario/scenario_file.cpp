#include "runtime/scenario/scenario_file.hpp"

#include "runtime/cluster/checked_values.hpp"
#include "runtime/cluster/text_file.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <utility>

namespace drover {
namespace {

constexpr std::size_t why_chars_min = 20;
constexpr std::uint32_t deadline_s_max = 24 * 3600;

void read_head(wire::object_reader& root, scenario_file& scenario) {
  scenario.why = root.required<std::string>("why");
  if (root.good() && scenario.why.size() < why_chars_min)
    root.refuse("why", "expected one to three sentences on what the scenario shows");
  scenario.deadline_s = read_number(root, "deadline_s", scenario.deadline_s, 1, deadline_s_max);
  scenario.seeds_max = read_number(root, "seeds_max", 0, 0, 1'000'000'000);
  scenario.repeat_until_settled = root.optional("repeat_until_settled", false);
  if (scenario.repeat_until_settled)
    mark_sim_only(scenario, root, "repeat_until_settled");
}

/// No world can do all that the scenario asks for.
void refuse_worldless(wire::object_reader& root, const scenario_file& scenario) {
  if (root.good() && scenario.worlds.empty())
    root.refuse(
      "", scenario.local_only + " is for the local world only, " + scenario.sim_only +
            " for the simulated one only");
}

} // namespace

void mark_sim_only(
  scenario_file& scenario, const wire::object_reader& from, const std::string& key) {
  if (scenario.sim_only.empty())
    scenario.sim_only = from.path() + wire::path_step(key);
}

void read_scenario_worlds(wire::object_reader& root, scenario_file& scenario) {
  if (!root.look("worlds")) {
    if (scenario.local_only.empty())
      scenario.worlds.insert(world_kind::sim);
    if (scenario.sim_only.empty())
      scenario.worlds.insert(world_kind::local);
    refuse_worldless(root, scenario);
    return;
  }
  for (const auto& word : root.required<std::vector<std::string>>("worlds")) {
    const auto world = world_kind_from_string(word);
    if (!world)
      root.refuse("worlds", "expected one of sim, local, found \"" + word + "\"");
    else
      scenario.worlds.insert(*world);
  }
  if (scenario.worlds.empty())
    root.refuse("worlds", "expected at least one of sim, local");
  if (scenario.worlds.contains(world_kind::local) && !scenario.sim_only.empty())
    root.refuse(
      "worlds", "the local world cannot play this scenario, because of " + scenario.sim_only);
  if (scenario.worlds.contains(world_kind::sim) && !scenario.local_only.empty())
    root.refuse(
      "worlds", "the simulated world cannot play this scenario, because of " + scenario.local_only);
}

result<scenario_file> parse_scenario_file(std::string_view text, const std::string& origin) {
  const auto document = wire::parse_json(text);
  if (!document)
    return tl::unexpected<error>(in_file(document.error(), origin));
  wire::object_reader root(*document, "");
  scenario_file scenario;
  scenario.path = origin;
  scenario.name = scenario.path.stem().string();
  read_head(root, scenario);
  // What follows names nodes and VMs; without them it would only be the echo of an earlier error.
  for (const auto part :
       {read_scenario_random, read_scenario_cluster, read_scenario_vms, read_scenario_actions,
        read_scenario_compare, read_scenario_expect, read_scenario_worlds})
    if (root.good())
      part(root, scenario);
  if (const auto ok = root.finish(); !ok)
    return tl::unexpected<error>(in_file(ok.error(), origin));
  return scenario;
}

result<scenario_file> read_scenario_file(const std::filesystem::path& path) {
  const auto file = read_text_file(path);
  if (!file)
    return tl::unexpected<error>(file.error());
  return parse_scenario_file(file->text, path.string());
}

} // namespace drover
