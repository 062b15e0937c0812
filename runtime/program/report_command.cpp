#include "runtime/program/report_command.hpp"

#include "runtime/program/past_runs.hpp"
#include "runtime/program/run_report.hpp"
#include "runtime/program/run_result.hpp"

#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

std::string fact(const ordered_json& run, const char* name) {
  const auto& facts = run.at("environment");
  return facts.is_object() && facts.contains(name) && facts.at(name).is_string()
           ? facts.at(name).get<std::string>()
           : std::string{};
}

ordered_json in_short(const std::string& id, const ordered_json& run) {
  std::uint32_t moved = 0;
  std::uint32_t stayed = 0;
  std::vector<double> pauses;
  for (const auto& vm : run.at("vms")) {
    if (!vm.is_object() || !vm.contains("result"))
      continue;
    ++(vm.at("result") == "moved" ? moved : stayed);
    if (vm.contains("pause_s") && vm.at("pause_s").is_number())
      pauses.push_back(vm.at("pause_s"));
  }
  const auto pause = distribution_of(std::move(pauses));
  const auto figure = [&pause](double distribution::*of) {
    return pause ? ordered_json((*pause).*of) : ordered_json(nullptr);
  };
  return {
    {"id", id},
    {"cluster", fact(run, "cluster")},
    {"policy", fact(run, "policy")},
    {"result", fact(run, "result")},
    {"moved", moved},
    {"stayed", stayed},
    {"pause_s", {{"p50", figure(&distribution::p50)}, {"max", figure(&distribution::max)}}}};
}

std::string ms_text(const ordered_json& s) {
  return s.is_null() ? "-" : fmt::format("{:.2f}", s.get<double>() * 1000);
}

std::string as_table(const ordered_json& runs) {
  if (runs.empty())
    return "no run was kept yet\n";
  std::string out;
  auto into = std::back_inserter(out);
  fmt::format_to(
    into, "{:<36} {:<16} {:<14} {:>6} {:>6} {:>9} {:>9}\n", "ID", "CLUSTER", "RESULT", "MOVED",
    "STAYED", "p50 ms", "max ms");
  for (const auto& r : runs)
    fmt::format_to(
      into, "{:<36} {:<16} {:<14} {:>6} {:>6} {:>9} {:>9}\n", r.at("id").get<std::string>(),
      r.at("cluster").get<std::string>(), r.at("result").get<std::string>(),
      r.at("moved").get<int>(), r.at("stayed").get<int>(), ms_text(r.at("pause_s").at("p50")),
      ms_text(r.at("pause_s").at("max")));
  return out;
}

} // namespace

result<std::string> report_past_run(const options& o, const report_options& c) {
  const auto kept = past_runs::at(o.state_dir);
  if (!kept)
    return tl::unexpected(kept.error());
  const bool json = o.out == output_format::json;
  if (c.id.empty()) {
    ordered_json runs = ordered_json::array();
    for (const auto& id : kept->ids())
      if (const auto run = kept->read(id)) // A foreign file is not listed.
        runs.push_back(in_short(id, *run));
    return json ? ordered_json{{"runs", runs}}.dump(2) + "\n" : as_table(runs);
  }
  const auto run = kept->read(c.id);
  if (!run)
    return tl::unexpected(run.error());
  const std::filesystem::path folder{c.report.empty() ? "." : c.report};
  if (auto prepared = prepare_report_directory(folder); !prepared)
    return tl::unexpected(prepared.error());
  const auto id = c.id == "last" ? kept->ids().back() : c.id;
  const auto base = folder / id;
  if (auto written = write_run_report(base, *run); !written)
    return tl::unexpected(written.error());
  auto told = in_short(id, *run);
  std::string lines;
  told["files"] = ordered_json::array();
  for (const auto* ending : report_endings) {
    told["files"].push_back(base.string() + ending);
    lines += base.string() + ending + "\n";
  }
  return json ? told.dump(2) + "\n" : lines;
}

} // namespace drover
