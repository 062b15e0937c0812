#include "runtime/program/move_commands.hpp"

#include "actors/evacuation/plan_text.hpp"
#include "runtime/program/command_output.hpp"
#include "runtime/program/interrupts.hpp"
#include "runtime/program/journal_rows.hpp"
#include "runtime/program/limits.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/program/recovery.hpp"
#include "runtime/program/run_report.hpp"
#include "runtime/program/workplace.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

/// Where what is told of a run goes beside the journal.
struct wanted_report {
  std::string what;           ///< "evacuate-n1"
  std::filesystem::path base; ///< empty = none
  policy how = policy::ticket;

  /// Before anything is touched.
  static result<wanted_report> open(
    const std::string& folder, const std::string& name, policy how) {
    if (folder.empty())
      return wanted_report{name, {}, how};
    if (auto prepared = prepare_report_directory(folder); !prepared)
      return tl::unexpected(prepared.error());
    return wanted_report{name, std::filesystem::path{folder} / name, how};
  }

  nlohmann::ordered_json write(const workplace& w, const run_result& r) const {
    auto run = told_run(
      w.history->whole(), {what,
                           {{"cluster", w.cluster.name},
                            {"policy", std::string{to_string(how)}},
                            {"result", std::string{to_string(r.code)}}}});
    if (!base.empty())
      if (auto written = write_run_report(base, run); !written)
        complain(written.error());
    return run;
  }
};

run_result carried_out(
  workplace& w, interrupts& signals, const plan& p, const std::optional<node_id>& cordon) {
  signals.on_signal([&w](unsigned) {
    std::fputs(
      "drover: cancelling; what is past its switchover is finished, the rest stays\n", stderr);
    w.nodes->cancel("cancelled by the operator");
  });
  const auto report = w.nodes->run(order_of(p, w.nodes->controller(), cordon));
  signals.on_signal({});
  return result_of(p, report);
}

journal_run written_run(const options& o, const workplace& w, const plan& p, const char* what) {
  std::error_code problem;
  journal_run run;
  run.what = what;
  run.node = p.source;
  run.cluster = w.cluster.name;
  run.cluster_file = std::filesystem::absolute(o.cluster_file, problem).string();
  run.controller = w.nodes->controller();
  run.how = p.how;
  run.begun = wall_now();
  run.plan = plan_json(p).dump();
  run.settings = "{}";
  return run;
}

int move(
  const options& o, workplace& w, interrupts& signals, const plan& p,
  const std::optional<node_id>& cordon, const wanted_report& report) {
  w.log->begin(
    report.what, written_run(o, w, p, cordon ? "evacuate" : "migrate"),
    journal_vms_of(p, wall_now()));
  note_plan(*w.watching->trace(), p, cordon, wall_now());
  if (!p.feasible && o.out == output_format::table)
    print(plan_table(p));
  auto result = p.feasible ? carried_out(w, signals, p, cordon) : result_of_infeasible(p);
  w.nodes.reset(); // The last trace events come with the links' end.
  if (auto closed = w.watching->close(); !closed)
    complain(closed.error());
  w.log->end(result, report.write(w, result), wall_now());
  result.id = w.log->id();
  const int code = show_result(o, result);
  if (w.shown)
    if (auto closed = w.shown->close(signals); !closed)
      complain(closed.error());
  return code;
}

} // namespace

int migrate_vm(const options& o, const migrate_options& c) {
  const auto report = wanted_report::open(c.report, "migrate-" + to_string(c.vm), c.how);
  if (!report)
    return complain(report.error());
  interrupts signals;
  auto w = open_workplace(o, {fleet_access::control, c.shown, true, [&c](cluster_file& cluster) {
                                cluster.stream = c.stream.value_or(cluster.stream);
                                cluster.channels = c.channels.value_or(cluster.channels);
                              }});
  if (!w)
    return complain(w.error());
  const auto seen = w->look();
  const auto source = node_of(seen, c.vm);
  if (!source)
    return complain({errc::invalid, "no node holds VM " + to_string(c.vm), {}});
  if (*source == c.to)
    return complain(
      {errc::invalid, "VM " + to_string(c.vm) + " is on " + c.to.value + " already", {}});
  auto p = plan_of(w->cluster, seen, {*source, {c.to}, c.how, c.vm});
  if (!p)
    return complain(p.error());
  return move(o, *w, signals, *p, std::nullopt, *report);
}

int evacuate_node(const options& o, const evacuate_options& c) {
  const auto report = wanted_report::open(c.report, "evacuate-" + c.node.value, c.how);
  if (!report)
    return complain(report.error());
  interrupts signals;
  const auto access = c.dry_run ? fleet_access::observe : fleet_access::control;
  const auto wanted = c.dry_run ? exposure_options{} : c.shown;
  auto w = open_workplace(o, {access, wanted, !c.dry_run, [&c](cluster_file& cluster) {
                                limit(cluster, c.streams_max, c.prepare_max);
                                cluster.stream = c.stream.value_or(cluster.stream);
                                cluster.channels = c.channels.value_or(cluster.channels);
                              }});
  if (!w)
    return complain(w.error());
  // What a controller that died has left would stay where it is; what needs people does not stop
  // the others.
  if (!c.dry_run)
    std::fputs(recovery_notice(recover(*w->nodes, {}, recovery_mode::act)).c_str(), stderr);
  auto p = plan_of(w->cluster, w->look(), {c.node, c.to, c.how, std::nullopt});
  if (!p)
    return complain(p.error());
  if (c.dry_run)
    return show_plan(o, *p);
  return move(o, *w, signals, *p, c.node, *report);
}

} // namespace drover
