#include "runtime/program/resume_command.hpp"

#include "runtime/program/command_output.hpp"
#include "runtime/program/conduct.hpp"
#include "runtime/program/control_commands.hpp"
#include "runtime/program/limits.hpp"
#include "runtime/program/move_settings.hpp"
#include "runtime/program/node_claim.hpp"
#include "runtime/program/recovery.hpp"
#include "runtime/program/rest_of_run.hpp"

#include <algorithm>
#include <cstdio>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// The agents let a stream go on for 10 s, then end what their controller has left.
constexpr auto settling_patience = 60s;
constexpr auto look_again = 500ms;

struct taken_up {
  journal_run run;
  std::vector<journal_vm> vms;
};

result<taken_up> read_run(const options& o, const std::string& id) {
  auto from = journal_in(o.state_dir);
  if (!from)
    return tl::unexpected(from.error());
  auto run = (*from)->run(id);
  if (!run)
    return tl::unexpected(run.error());
  auto vms = (*from)->vms(run->id);
  if (!vms)
    return tl::unexpected(vms.error());
  return taken_up{std::move(*run), std::move(*vms)};
}

/// Looks until what was left in the middle has come to an end.
rest_of_run settled_rest(workplace& w, interrupts& signals, const taken_up& what, survey& seen) {
  const auto until = monotonic_now() + settling_patience;
  for (;;) {
    seen = w.look();
    auto rest = rest_of(what.run, what.vms, seen);
    if (rest.unsettled.empty() || monotonic_now() >= until || signals.count() > 0)
      return rest;
    signals.wait(look_again);
  }
}

} // namespace

int resume_run(const options& asked, const resume_options& c) {
  if (const auto code = resume_living_run(asked, c.id))
    return *code;
  const auto what = read_run(asked, c.id);
  if (!what)
    return complain(what.error());
  auto o = asked;
  if (o.cluster_file.empty())
    o.cluster_file = what->run.cluster_file;
  evacuate_options typed;
  typed.node = what->run.node;
  typed = with_settings(typed, what->run.settings);
  const bool evacuates = what->run.what == "evacuate";
  const auto name = what->run.what + "-" + what->run.node.value;
  const auto report = wanted_report::open(c.report, name, what->run.how);
  if (!report)
    return complain(report.error());

  interrupts signals;
  auto claimed = claim_locally(
    o, what->run.node, signals, [&](const std::string& id) { return attach_to(o, id, signals); });
  if (const auto* code = std::get_if<int>(&claimed))
    return *code;
  auto w = open_workplace(
    o, {fleet_access::control, c.shown, true,
        [&typed](cluster_file& cluster) {
          limit(cluster, typed.streams_max, typed.prepare_max);
          cluster.stream = typed.stream.value_or(cluster.stream);
          cluster.channels = typed.channels.value_or(cluster.channels);
        },
        link_opening::when_asked});
  if (!w)
    return complain(w.error());
  const auto reason = claim_reason(wall_now());
  if (auto held = claim_in_cluster(*w, what->run.node, reason); !held)
    return complain(held.error());
  std::fputs(recovery_notice(recover(*w->nodes, {}, recovery_mode::act)).c_str(), stderr);
  survey seen;
  auto rest = settled_rest(*w, signals, *what, seen);
  if (!rest.unsettled.empty())
    rest = without_unsettled(what->run, std::move(rest), seen);
  departure left{what->run.node, typed.to, what->run.how, std::nullopt};
  left.among = rest.to_move;
  left.wanted = rest.targets;
  auto p = plan_of(w->cluster, seen, left);
  if (!p)
    return complain(p.error());
  std::fprintf(
    stderr, "drover: %s goes on: %u moved before, %zu left\n", what->run.id.c_str(),
    rest.earlier.moved, p->steps.size());
  conducted order;
  order.steps = std::move(*p);
  if (evacuates)
    order.cordon = what->run.node;
  order.report = *report;
  order.lock_reason = reason;
  order.id = what->run.id;
  order.earlier = std::move(rest.earlier);
  order.vms = std::move(rest.vms);
  order.named = [&claimed](const std::string& id) { std::get<local_claim>(claimed).name(id); };
  return conduct(o, *w, signals, order);
}

} // namespace drover
