#include "runtime/program/commands.hpp"

#include "actors/evacuation/plan_text.hpp"
#include "metrics/page/run_history.hpp"
#include "runtime/program/fleet.hpp"
#include "runtime/program/interrupts.hpp"
#include "runtime/program/limits.hpp"
#include "runtime/program/node_check.hpp"
#include "runtime/program/node_trust.hpp"
#include "runtime/program/observers.hpp"
#include "runtime/program/past_runs.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/program/recovery.hpp"
#include "runtime/program/report_command.hpp"
#include "runtime/program/run_report.hpp"
#include "runtime/program/run_result.hpp"
#include "runtime/program/survey.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// A store call may hang for 8 s when a node dies; a look at the cluster waits that out.
constexpr auto look_deadline = 12s;
/// Starting QEMU on a busy host, or ending it: first by `quit`, after 10 s by SIGKILL.
constexpr auto vm_deadline = 40s;

int as_int(outcome_code code) { return static_cast<int>(code); }

int complain(const error& e) {
  std::fprintf(stderr, "drover: %s\n", to_string(e).c_str());
  return as_int(outcome_code::usage_or_internal);
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

/// What every command on a cluster begins with.
struct workplace {
  cluster_file cluster;
  std::shared_ptr<exposure> shown;
  std::unique_ptr<observers> watching;
  std::shared_ptr<run_history> history = std::make_shared<run_history>();
  std::unique_ptr<fleet> nodes;

  survey look() {
    auto seen = survey_of(nodes->call_all(wire::list_vms{}, look_deadline));
    note_survey(*watching->trace(), seen, wall_now());
    return seen;
  }
};

result<workplace> open_workplace(
  const options& o, fleet_access access, const exposure_options& wanted,
  const std::function<void(cluster_file&)>& adjust = {}) {
  workplace w;
  auto cluster = read_cluster_file(o.cluster_file);
  if (!cluster)
    return tl::unexpected(cluster.error());
  w.cluster = std::move(*cluster);
  if (adjust)
    adjust(w.cluster);
  auto shown = exposure::open(wanted);
  if (!shown)
    return tl::unexpected(shown.error());
  w.shown = std::move(*shown);
  auto watching = observers::open(o.trace_file, w.shown, progress_look_of(stderr));
  if (!watching)
    return tl::unexpected(watching.error());
  w.watching = std::move(*watching);
  w.watching->add_beside(w.history);
  auto nodes = fleet::open(w.cluster, {access, w.watching->trace(), {}, w.watching->pulse()});
  if (!nodes)
    return tl::unexpected(nodes.error());
  w.nodes = std::move(*nodes);
  return w;
}

// -- looking -------------------------------------------------------------------------------------

int look(
  const options& o, const std::optional<node_id>& only,
  std::string (*as_table)(const workplace&, const survey&, const std::optional<node_id>&),
  std::string (*as_json)(const workplace&, const survey&, const std::optional<node_id>&)) {
  auto w = open_workplace(o, fleet_access::observe, {});
  if (!w)
    return complain(w.error());
  if (only)
    if (auto unknown = unknown_node(w->cluster, *only))
      return complain(*unknown);
  const auto seen = w->look();
  print(o.out == output_format::json ? as_json(*w, seen, only) : as_table(*w, seen, only));
  return as_int(outcome_code::all_moved);
}

int carry_out(const options& o, const status_options& c) {
  return look(
    o, c.node,
    [](const workplace& w, const survey& s, const auto& n) {
      return status_table(w.cluster, s, n);
    },
    [](const workplace& w, const survey& s, const auto& n) {
      return status_json(w.cluster, s, n);
    });
}

int carry_out(const options& o, const vm_list_options& c) {
  return look(
    o, c.node, [](const workplace&, const survey& s, const auto& n) { return vm_table(s, n); },
    [](const workplace&, const survey& s, const auto& n) { return vm_json(s, n); });
}

// -- starting and stopping -----------------------------------------------------------------------

template <class Body>
int change_vms(const options& o, const std::vector<vm_id>& vms) {
  auto w = open_workplace(o, fleet_access::control, {});
  if (!w)
    return complain(w.error());
  const auto seen = w->look();
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  std::string table;
  bool all_done = true;
  for (const auto vm : vms) {
    const auto node = node_of(seen, vm);
    result<wire::reply_body> answer =
      node ? w->nodes->call(*node, Body{vm}, vm_deadline)
           : result<wire::reply_body>{fail(errc::invalid, "no node holds a VM of this number")};
    all_done = all_done && answer.has_value();
    const std::string text = answer
                               ? std::string{to_string(std::get<wire::vm_status>(*answer).state)}
                               : to_string(answer.error());
    table += "VM " + to_string(vm) + (node ? " on " + node->value : "") + ": " + text + "\n";
    results.push_back(
      {{"vmid", vm.value},
       {"node", node ? node->value : ""},
       {"ok", answer.has_value()},
       {"state", answer ? text : ""},
       {"reason", answer ? "" : text}});
  }
  print(
    o.out == output_format::json ? nlohmann::ordered_json{{"vms", results}}.dump(2) + "\n" : table);
  return as_int(all_done ? outcome_code::all_moved : outcome_code::usage_or_internal);
}

int carry_out(const options& o, const vm_start_options& c) {
  return change_vms<wire::start_vm>(o, c.vms);
}

int carry_out(const options& o, const vm_stop_options& c) {
  return change_vms<wire::stop_vm>(o, c.vms);
}

// -- planning and moving -------------------------------------------------------------------------

int show_plan(const options& o, const plan& p) {
  print(o.out == output_format::json ? plan_json(p).dump(2) + "\n" : plan_table(p));
  return exit_code(p);
}

int show_result(const options& o, const run_result& r) {
  print(o.out == output_format::json ? to_json(r) : to_table(r));
  return as_int(r.code);
}

/// Where what is told of a run goes: always to the past runs, and where it was asked for.
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

  /// The id under which the run is kept; empty where it could not be.
  std::string write(const options& o, const workplace& w, const run_result& r) const {
    const auto run = told_run(
      w.history->whole(), {what,
                           {{"cluster", w.cluster.name},
                            {"policy", std::string{to_string(how)}},
                            {"result", std::string{to_string(r.code)}}}});
    if (!base.empty())
      if (auto written = write_run_report(base, run); !written)
        complain(written.error());
    auto past = past_runs::at(o.state_dir);
    const result<std::string> id =
      past ? past->keep(what, run, wall_now()) : tl::unexpected(past.error());
    if (!id)
      complain(id.error());
    return id.value_or("");
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

int move(
  const options& o, workplace& w, interrupts& signals, const plan& p,
  const std::optional<node_id>& cordon, const wanted_report& report_wanted) {
  note_plan(*w.watching->trace(), p, cordon, wall_now());
  if (!p.feasible && o.out == output_format::table)
    print(plan_table(p));
  auto result = p.feasible ? carried_out(w, signals, p, cordon) : result_of_infeasible(p);
  w.nodes.reset(); // The last trace events come with the links' end.
  if (auto closed = w.watching->close(); !closed)
    complain(closed.error());
  result.id = report_wanted.write(o, w, result);
  const int code = show_result(o, result);
  if (w.shown)
    if (auto closed = w.shown->close(signals); !closed)
      complain(closed.error());
  return code;
}

int carry_out(const options& o, const plan_options& c) {
  auto w = open_workplace(o, fleet_access::observe, {});
  if (!w)
    return complain(w.error());
  auto p = plan_of(w->cluster, w->look(), {c.node, c.to, policy::ticket, std::nullopt});
  return p ? show_plan(o, *p) : complain(p.error());
}

int carry_out(const options& o, const migrate_options& c) {
  const auto report = wanted_report::open(c.report, "migrate-" + to_string(c.vm), c.how);
  if (!report)
    return complain(report.error());
  interrupts signals;
  auto w = open_workplace(o, fleet_access::control, c.shown, [&c](cluster_file& cluster) {
    cluster.stream = c.stream.value_or(cluster.stream);
    cluster.channels = c.channels.value_or(cluster.channels);
  });
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

int carry_out(const options& o, const evacuate_options& c) {
  const auto report = wanted_report::open(c.report, "evacuate-" + c.node.value, c.how);
  if (!report)
    return complain(report.error());
  interrupts signals;
  const auto access = c.dry_run ? fleet_access::observe : fleet_access::control;
  const auto wanted = c.dry_run ? exposure_options{} : c.shown;
  auto w = open_workplace(o, access, wanted, [&c](cluster_file& cluster) {
    limit(cluster, c.streams_max, c.prepare_max);
    cluster.stream = c.stream.value_or(cluster.stream);
    cluster.channels = c.channels.value_or(cluster.channels);
  });
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

// -- recovering ----------------------------------------------------------------------------------

int carry_out(const options& o, const recover_options& c) {
  const auto access = c.dry_run ? fleet_access::observe : fleet_access::control;
  auto w = open_workplace(o, access, {});
  if (!w)
    return complain(w.error());
  for (const auto& node : c.fenced)
    if (auto unknown = unknown_node(w->cluster, node))
      return complain(*unknown);
  const operator_words words{
    {c.fenced.begin(), c.fenced.end()},
    {c.ran.begin(), c.ran.end()},
    {c.never_ran.begin(), c.never_ran.end()}};
  const auto mode = c.dry_run ? recovery_mode::dry_run : recovery_mode::act;
  const auto report = recover(*w->nodes, words, mode);
  print(o.out == output_format::json ? recovery_json(report) : recovery_text(report));
  return exit_code(report);
}

// -- preparing nodes -----------------------------------------------------------------------------

int carry_out(const options& o, const node_trust_options& c) {
  const auto cluster = read_cluster_file(o.cluster_file);
  if (!cluster)
    return complain(cluster.error());
  const auto ended = trust_node(*cluster, c, o.out);
  return ended ? as_int(outcome_code::all_moved) : complain(ended.error());
}

int carry_out(const options& o, const node_check_options& c) {
  const auto cluster = read_cluster_file(o.cluster_file);
  if (!cluster)
    return complain(cluster.error());
  const auto checked = check_nodes(*cluster, c.nodes, login_help_of_program());
  if (!checked)
    return complain(checked.error());
  print(o.out == output_format::json ? readiness_json(*checked) : readiness_table(*checked));
  return as_int(all_ready(*checked) ? outcome_code::all_moved : outcome_code::usage_or_internal);
}

int carry_out(const options& o, const report_options& c) {
  const auto told = report_past_run(o, c);
  if (!told)
    return complain(told.error());
  print(*told);
  return as_int(outcome_code::all_moved);
}

int carry_out(const options& o, const version_options&) {
  print(
    o.out == output_format::json ? "{\"version\": \"" DROVER_VERSION "\"}\n"
                                 : "drover " DROVER_VERSION "\n");
  return as_int(outcome_code::all_moved);
}

} // namespace

int run_command(const options& o) {
  return std::visit(
    [&o](const auto& c) {
      if constexpr (std::is_same_v<std::decay_t<decltype(c)>, run_options>)
        return complain({errc::bug, "a scenario is not played here", {}});
      else
        return carry_out(o, c);
    },
    o.command);
}

} // namespace drover
