#include "runtime/program/move_commands.hpp"

#include "runtime/program/background.hpp"
#include "runtime/program/command_output.hpp"
#include "runtime/program/conduct.hpp"
#include "runtime/program/control_commands.hpp"
#include "runtime/program/limits.hpp"
#include "runtime/program/move_settings.hpp"
#include "runtime/program/node_claim.hpp"
#include "runtime/program/recovery.hpp"
#include "runtime/program/state_directory.hpp"

#include <cstdio>

namespace drover {
namespace {

/// The cluster file, with what the command line says instead.
auto adjusted_by(const evacuate_options& c) {
  return [&c](cluster_file& cluster) {
    limit(cluster, c.streams_max, c.prepare_max);
    cluster.stream = c.stream.value_or(cluster.stream);
    cluster.channels = c.channels.value_or(cluster.channels);
  };
}

int show_evacuation(const options& o, const evacuate_options& c) {
  auto w = open_workplace(o, {fleet_access::observe, {}, false, adjusted_by(c)});
  if (!w)
    return complain(w.error());
  const auto p = plan_of(w->cluster, w->look(), {c.node, c.to, c.how, std::nullopt});
  return p ? show_plan(o, *p) : complain(p.error());
}

/// Runs of this node that nobody carries out and that this one takes the place of.
void supersede(const options& o, const node_id& node) {
  const auto state = state_directory(o.state_dir);
  const auto from = journal_in(o.state_dir);
  const auto runs = from ? (*from)->runs() : tl::unexpected(from.error());
  std::error_code problem;
  const auto cluster = std::filesystem::weakly_canonical(o.cluster_file, problem).string();
  if (!state || !runs)
    return;
  for (const auto& run : *runs) {
    const bool is_same =
      !run.ended && run.what == "evacuate" && run.node == node && run.cluster_file == cluster;
    if (!is_same || process_lock::holder(alive_file(*state, run.id)))
      continue;
    std::fprintf(stderr, "drover: %s was interrupted; this run takes its place\n", run.id.c_str());
    static_cast<void>((*from)->write(run.id, {run_closed{wall_now(), "superseded", 0}}));
  }
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
  conducted order;
  order.steps = std::move(*p);
  order.report = *report;
  return conduct(o, *w, signals, order);
}

int evacuate_node(const options& o, const evacuate_options& c) {
  if (c.dry_run)
    return show_evacuation(o, c);
  if (c.place == run_place::background)
    return evacuate_in_background(o);
  enter_background(o);
  const auto report = wanted_report::open(c.report, "evacuate-" + c.node.value, c.how);
  if (!report)
    return complain(report.error());
  if (const auto cluster = read_cluster_file(o.cluster_file); !cluster)
    return complain(cluster.error());
  else if (const auto unknown = unknown_node(*cluster, c.node))
    return complain(*unknown);
  interrupts signals;
  auto claimed =
    claim_locally(o, c.node, signals, [&](const std::string& id) -> std::optional<int> {
      if (!c.tell_fd)
        return attach_to(o, id, signals);
      leave_background(o, id);
      return as_int(outcome_code::all_moved);
    });
  if (const auto* code = std::get_if<int>(&claimed))
    return *code;
  auto w = open_workplace(
    o, {fleet_access::control, c.shown, true, adjusted_by(c), link_opening::when_asked});
  if (!w)
    return complain(w.error());
  const auto reason = claim_reason(wall_now());
  if (auto held = claim_in_cluster(*w, c.node, reason); !held)
    return complain(held.error());
  // What a controller that died has left would stay where it is; what needs people does not stop
  // the others.
  std::fputs(recovery_notice(recover(*w->nodes, {}, recovery_mode::act)).c_str(), stderr);
  auto p = plan_of(w->cluster, w->look(), {c.node, c.to, c.how, std::nullopt});
  if (!p)
    return complain(p.error());
  supersede(o, c.node);
  conducted order;
  order.steps = std::move(*p);
  order.cordon = c.node;
  order.report = *report;
  order.settings = settings_text(c);
  order.lock_reason = reason;
  order.named = [&](const std::string& id) {
    std::get<local_claim>(claimed).name(id);
    name_background_run(o, id);
  };
  return conduct(o, *w, signals, order);
}

} // namespace drover
