#include "runtime/program/conduct.hpp"

#include "actors/evacuation/plan_text.hpp"
#include "runtime/program/command_output.hpp"
#include "runtime/program/journal_rows.hpp"
#include "runtime/program/run_control.hpp"
#include "runtime/program/run_report.hpp"

#include <nlohmann/json.hpp>

namespace drover {
namespace {

constexpr std::chrono::seconds uncordon_deadline{12};

nlohmann::ordered_json reported(
  const workplace& w, const wanted_report& wanted, const run_result& r) {
  auto run = told_run(
    w.history->whole(), {wanted.what,
                         {{"cluster", w.cluster.name},
                          {"policy", std::string{to_string(wanted.how)}},
                          {"result", std::string{to_string(r.code)}}}});
  if (!wanted.base.empty())
    if (auto written = write_run_report(wanted.base, run); !written)
      complain(written.error());
  return run;
}

journal_run written_run(const options& o, const workplace& w, const conducted& what) {
  std::error_code problem;
  journal_run run;
  run.what = what.cordon ? "evacuate" : "migrate";
  run.node = what.steps.source;
  run.cluster = w.cluster.name;
  run.cluster_file = std::filesystem::weakly_canonical(o.cluster_file, problem).string();
  run.controller = w.nodes->controller();
  run.how = what.steps.how;
  run.begun = wall_now();
  run.plan = plan_json(what.steps).dump();
  run.settings = what.settings;
  return run;
}

run_result carried_out(workplace& w, interrupts& signals, const conducted& what) {
  signals.on_signal([&w](unsigned) {
    std::fputs(
      "drover: cancelling; what is past its switchover is finished, the rest stays\n", stderr);
    w.nodes->go_on();
    w.nodes->cancel("cancelled by the operator");
  });
  auto order = order_of(what.steps, w.nodes->controller(), what.cordon);
  order.lock_reason = what.lock_reason;
  const auto report = w.nodes->run(std::move(order));
  signals.on_signal({});
  return result_of(what.steps, report);
}

void write_down(const options& o, workplace& w, const conducted& what) {
  if (what.id.empty())
    w.log->begin(what.report.what, written_run(o, w, what), journal_vms_of(what.steps, wall_now()));
  else
    w.log->take_up(what.id, w.nodes->controller(), what.vms);
}

} // namespace

result<wanted_report> wanted_report::open(
  const std::string& folder, const std::string& name, policy how) {
  if (folder.empty())
    return wanted_report{name, {}, how};
  if (auto prepared = prepare_report_directory(folder); !prepared)
    return tl::unexpected(prepared.error());
  return wanted_report{name, std::filesystem::path{folder} / name, how};
}

int conduct(const options& o, workplace& w, interrupts& signals, const conducted& what) {
  const auto& p = what.steps;
  write_down(o, w, what);
  std::optional<run_control> control;
  if (!w.log->id().empty())
    control.emplace(o.state_dir, w.log->id(), *w.nodes, *w.log, w.feed);
  if (what.named) // Whoever learns the name finds the socket.
    what.named(w.log->id());
  note_plan(*w.watching->trace(), p, what.cordon, wall_now());
  if (!p.feasible && o.out == output_format::table)
    print(plan_table(p));
  auto result = p.feasible ? carried_out(w, signals, what) : result_of_infeasible(p);
  if (!p.feasible && what.cordon) // What an evacuation gives back at its end.
    static_cast<void>(w.nodes->call(*what.cordon, wire::uncordon{}, uncordon_deadline));
  if (what.earlier)
    result = combined({*what.earlier, result});
  if (control)
    control->close();
  w.nodes.reset(); // The last trace events come with the links' end.
  if (auto closed = w.watching->close(); !closed)
    complain(closed.error());
  w.log->end(result, reported(w, what.report, result), wall_now());
  result.id = w.log->id();
  if (control)
    control->end(result);
  const int code = show_result(o, result);
  if (w.shown)
    if (auto closed = w.shown->close(signals); !closed)
      complain(closed.error());
  return code;
}

} // namespace drover
