#include "runtime/scenario/scenario_command.hpp"

#include "runtime/scenario/scenario_player.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

constexpr int not_passed = static_cast<int>(outcome_code::usage_or_internal);

int complain(const error& e) {
  std::fprintf(stderr, "drover: %s\n", to_string(e).c_str());
  return not_passed;
}

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

std::string json_of(const scenario_file& scenario, const scenario_verdict& v, int code) {
  auto whole = nlohmann::ordered_json::parse(to_json(v.result));
  const auto beats = sums_of(v.beats);
  whole["exit_code"] = code;
  whole["scenario"] = scenario.name;
  whole["verdict"] = v.wrong.empty() ? "passed" : "failed";
  whole["wrong"] = v.wrong;
  whole["beats"] = {
    {"beats", beats.beats},
    {"lost", beats.lost},
    {"doubled", beats.doubled},
    {"longest_pause_s", beats.longest_pause_s}};
  return whole.dump(2) + "\n";
}

std::string table_of(const scenario_file& scenario, const scenario_verdict& v) {
  const auto beats = sums_of(v.beats);
  auto text = to_table(v.result);
  text += fmt::format(
    "beats: {} seen outside, {} lost, {} doubled; longest pause {:.1f} ms\n", beats.beats,
    beats.lost, beats.doubled, beats.longest_pause_s * 1000);
  for (const auto& w : v.wrong)
    text += "wrong: " + w + "\n";
  text += fmt::format("scenario {}: {}\n", scenario.name, v.wrong.empty() ? "passed" : "FAILED");
  return text;
}

} // namespace

int run_scenario_command(const options& o, const run_options& c) {
  interrupts signals;
  const auto scenario = read_scenario_file(c.scenario);
  if (!scenario)
    return complain(scenario.error());
  auto watching = observers::open(o.trace_file, c.metrics, progress_style_of(stderr));
  if (!watching)
    return complain(watching.error());
  std::fprintf(stderr, "%s: %s\n", scenario->name.c_str(), scenario->why.c_str());
  if (const auto url = (*watching)->metrics_url(); !url.empty())
    std::fprintf(stderr, "drover: metrics at %s\n", url.c_str());
  scenario_player player{*scenario, c.how, **watching, signals};
  const auto verdict = player.play(c.keep);
  auto closed = (*watching)->close();
  if (!verdict)
    return complain(verdict.error());
  const int code = verdict->wrong.empty() ? static_cast<int>(verdict->result.code) : not_passed;
  std::fputs(
    (o.out == output_format::json ? json_of(*scenario, *verdict, code)
                                  : table_of(*scenario, *verdict))
      .c_str(),
    stdout);
  return closed ? code : complain(closed.error());
}

} // namespace drover
