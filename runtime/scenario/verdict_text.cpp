#include "runtime/scenario/verdict_text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

constexpr int not_passed = static_cast<int>(outcome_code::usage_or_internal);

struct beat_sums {
  std::uint64_t beats = 0;
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  double longest_pause_s = 0;
};

beat_sums sums_of(const std::map<vm_id, beacon_report>& reports) {
  beat_sums sums;
  for (const auto& [vm, r] : reports) {
    sums.beats += r.beats;
    sums.lost += r.lost;
    sums.doubled += r.repeated + r.overlapped;
    for (const auto& s : r.switchovers)
      sums.longest_pause_s = std::max(sums.longest_pause_s, seconds(s.pause));
  }
  return sums;
}

std::string cost_text(const cost_comparison& cost) {
  std::string text;
  for (const auto* of : {&cost.smaller, &cost.whole})
    text += fmt::format(
      "cost: {} VMs in {:.2f} s of wall time, {:.3f} ms per VM; {:.2f} s of processor time, "
      "{:.3f} ms per VM\n",
      of->vms, of->wall_s, of->per_vm_ms(&run_cost::wall_s), of->processor_s,
      of->per_vm_ms(&run_cost::processor_s));
  return text + fmt::format(
                  "cost: one of {} VMs takes {:.2f} times the wall time and {:.2f} times the "
                  "processor time of one of {}\n",
                  cost.whole.vms, cost.ratio(&run_cost::wall_s), cost.ratio(&run_cost::processor_s),
                  cost.smaller.vms);
}

nlohmann::ordered_json cost_json(const run_cost& of) {
  return {
    {"vms", of.vms},
    {"wall_s", of.wall_s},
    {"wall_ms_per_vm", of.per_vm_ms(&run_cost::wall_s)},
    {"processor_s", of.processor_s},
    {"processor_ms_per_vm", of.per_vm_ms(&run_cost::processor_s)}};
}

} // namespace

int exit_code_of(const scenario_verdict& v) {
  return v.wrong.empty() ? static_cast<int>(v.played.result.code) : not_passed;
}

std::string to_json(const scenario_file& scenario, const scenario_verdict& v) {
  auto whole = nlohmann::ordered_json::parse(to_json(v.played.result));
  const auto beats = sums_of(v.played.beats);
  whole["exit_code"] = exit_code_of(v);
  whole["scenario"] = scenario.name;
  whole["verdict"] = v.wrong.empty() ? "passed" : "failed";
  whole["wrong"] = v.wrong;
  whole["races"] = v.played.races;
  whole["stuck"] = stuck_vms(scenario, v.played).size();
  whole["store_operations_in_pauses"] = v.played.intrusions.size();
  whole["store_operations_outside_pauses"] = v.played.operations_outside_pauses;
  whole["beats"] = {
    {"beats", beats.beats},
    {"lost", beats.lost},
    {"doubled", beats.doubled},
    {"longest_pause_s", beats.longest_pause_s}};
  if (v.cost)
    whole["cost"] = {
      {"whole", cost_json(v.cost->whole)},
      {"smaller", cost_json(v.cost->smaller)},
      {"wall_ratio", v.cost->ratio(&run_cost::wall_s)},
      {"processor_ratio", v.cost->ratio(&run_cost::processor_s)}};
  return whole.dump(2) + "\n";
}

std::string to_table(const scenario_file& scenario, const scenario_verdict& v) {
  auto text = to_table(v.played.result);
  if (const auto beats = sums_of(v.played.beats); beats.beats > 0)
    text += fmt::format(
      "beats: {} seen outside, {} lost, {} doubled; longest pause {:.1f} ms\n", beats.beats,
      beats.lost, beats.doubled, beats.longest_pause_s * 1000);
  text += fmt::format(
    "races: {}; left paused: {}; store operations: {} in pauses, {} besides\n", v.played.races,
    stuck_vms(scenario, v.played).size(), v.played.intrusions.size(),
    v.played.operations_outside_pauses);
  if (v.cost)
    text += cost_text(*v.cost);
  for (const auto& w : v.wrong)
    text += "wrong: " + w + "\n";
  return text +
         fmt::format("scenario {}: {}\n", scenario.name, v.wrong.empty() ? "passed" : "FAILED");
}

} // namespace drover
