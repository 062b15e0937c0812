#include "runtime/cluster/checked_values.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <algorithm>

namespace drover {
namespace {

/// How many of the first VMs a smaller form holds is all that makes it; so nothing else in the
/// scenario may name a VM or leave open which nodes it needs.
bool can_be_smaller(const scenario_file& scenario) {
  return !scenario.random &&
         std::all_of(scenario.actions.begin(), scenario.actions.end(), [](const auto& one) {
           const auto* evacuate = std::get_if<action::evacuate>(&one.what);
           return evacuate != nullptr && !evacuate->targets.empty() && !one.when;
         });
}

} // namespace

std::uint32_t vms_of(const scenario_file& scenario) {
  std::uint32_t count = 0;
  for (const auto& group : scenario.vms)
    count += group.count;
  return count;
}

scenario_file with_first_vms(const scenario_file& scenario, std::uint32_t vms) {
  auto smaller = scenario;
  smaller.compare_vms = 0;
  smaller.vms.clear();
  std::set<node_id> homes;
  for (auto group : scenario.vms) {
    group.count = std::min(group.count, vms);
    vms -= group.count;
    if (group.count == 0)
      break;
    homes.insert(group.node);
    smaller.vms.push_back(std::move(group));
  }
  std::set<node_id> named = homes;
  std::erase_if(smaller.actions, [&](const scenario_action& one) {
    const auto& evacuate = std::get<action::evacuate>(one.what);
    if (!homes.contains(evacuate.node))
      return true;
    named.insert(evacuate.targets.begin(), evacuate.targets.end());
    return false;
  });
  std::erase_if(smaller.nodes, [&](const auto& node) { return !named.contains(node.first); });
  smaller.expect = {};
  smaller.expect.exit_codes = scenario.expect.exit_codes;
  smaller.expect_of.clear();
  return smaller;
}

void read_scenario_compare(wire::object_reader& root, scenario_file& scenario) {
  if (!root.look("compare_vms"))
    return;
  mark_sim_only(scenario, root, "compare_vms");
  if (!can_be_smaller(scenario))
    return root.refuse(
      "compare_vms", "only a scenario that draws nothing and whose actions all evacuate a node to "
                     "named ones (\"to\"), waiting for no event, can be played with fewer VMs");
  const auto all = vms_of(scenario);
  if (all < 2)
    return root.refuse("compare_vms", "a scenario of one VM cannot be played with fewer");
  scenario.compare_vms = read_number(root, "compare_vms", 1, 1, all - 1);
  if (root.good() && with_first_vms(scenario, scenario.compare_vms).actions.empty())
    root.refuse("compare_vms", "no action evacuates a node that holds one of the first VMs");
}

} // namespace drover
