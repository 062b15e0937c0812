#include "runtime/program/history_command.hpp"

#include "runtime/program/history_text.hpp"
#include "runtime/program/past_runs.hpp"
#include "runtime/program/run_log.hpp"
#include "runtime/program/state_directory.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

run_life life_of(const options& o, const journal_run& run) {
  const auto state = state_directory(o.state_dir);
  return state && process_lock::holder(alive_file(*state, run.id)) ? run_life::carried_out
                                                                   : run_life::left_alone;
}

result<told_run_row> row_of(const options& o, journal& from, journal_run run) {
  auto vms = from.vms(run.id);
  if (!vms)
    return tl::unexpected(vms.error());
  const auto life = life_of(o, run);
  const auto state = status_of(run, life);
  return told_run_row{std::move(run), state, std::move(*vms)};
}

/// A run of which only the report is left: its journal was lost, or is older than the journal.
ordered_json from_report(const std::string& id, const ordered_json& report) {
  told_run_row row;
  row.run.id = id;
  row.run.ended = row.run.begun;
  std::uint32_t moved = 0;
  std::uint32_t stayed = 0;
  for (const auto& vm : report.at("vms"))
    if (vm.is_object() && vm.contains("result"))
      ++(vm.at("result") == "moved" ? moved : stayed);
  auto told = run_in_short(row);
  const auto& facts = report.at("environment");
  for (const auto* fact : {"cluster", "policy", "result"})
    if (facts.is_object() && facts.contains(fact))
      told[fact] = facts.at(fact);
  for (const auto* unknown : {"begun", "ended", "exit_code"})
    told[unknown] = nullptr;
  told["moved"] = moved;
  told["stayed"] = stayed;
  return told;
}

result<ordered_json> all_runs(const options& o) {
  auto runs = ordered_json::array();
  const auto past = past_runs::at(o.state_dir);
  if (!past)
    return tl::unexpected(past.error());
  auto only_reports = past->ids();
  auto from = journal_in(o.state_dir);
  const bool is_new = !from && only_reports.empty();
  if (!from && !is_new)
    return tl::unexpected(from.error());
  if (from) {
    const auto written = (*from)->runs();
    if (!written)
      return tl::unexpected(written.error());
    for (const auto& run : *written) {
      std::erase(only_reports, run.id);
      const auto row = row_of(o, **from, run);
      if (!row)
        return tl::unexpected(row.error());
      runs.push_back(run_in_short(*row));
    }
  }
  for (const auto& id : only_reports)
    if (const auto report = past->read(id)) // A foreign file is not listed.
      runs.push_back(from_report(id, *report));
  std::stable_sort(
    runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.at("id") < b.at("id"); });
  return runs;
}

} // namespace

result<std::string> told_history(const options& o, const history_options& c) {
  const bool json = o.out == output_format::json;
  if (c.id.empty()) {
    const auto runs = all_runs(o);
    if (!runs)
      return tl::unexpected(runs.error());
    return json ? ordered_json{{"runs", *runs}}.dump(2) + "\n" : runs_table(*runs);
  }
  auto from = journal_in(o.state_dir);
  if (!from)
    return tl::unexpected(from.error());
  const auto run = (*from)->run(c.id);
  if (!run)
    return tl::unexpected(run.error());
  const auto events = (*from)->events(run->id);
  if (!events)
    return tl::unexpected(events.error());
  std::string lines;
  auto told = ordered_json{{"id", run->id}, {"events", ordered_json::array()}};
  for (const auto& event : *events) {
    lines += event_line(event);
    auto parsed = ordered_json::parse(event.text, nullptr, false);
    told["events"].push_back(parsed.is_discarded() ? ordered_json(event.text) : std::move(parsed));
  }
  return json ? told.dump(2) + "\n" : lines;
}

result<std::string> told_evacuations(const options& o) {
  const auto runs = all_runs(o);
  if (!runs)
    return tl::unexpected(runs.error());
  auto open = ordered_json::array();
  for (const auto& run : *runs)
    if (run.at("state") != "ended" && run.at("what") == "evacuate")
      open.push_back(run);
  if (o.out == output_format::json)
    return ordered_json{{"evacuations", open}}.dump(2) + "\n";
  return open.empty() ? "no evacuation is under way\n" : runs_table(open);
}

result<std::string> shown_run(const options& o, const show_options& c) {
  auto from = journal_in(o.state_dir);
  if (!from)
    return tl::unexpected(from.error());
  auto run = (*from)->run(c.id);
  if (!run)
    return tl::unexpected(run.error());
  const auto row = row_of(o, **from, std::move(*run));
  if (!row)
    return tl::unexpected(row.error());
  return o.out == output_format::json ? run_in_full(*row).dump(2) + "\n" : run_table(*row);
}

} // namespace drover
