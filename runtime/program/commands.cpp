#include "runtime/program/commands.hpp"

#include "runtime/program/command_output.hpp"
#include "runtime/program/control_commands.hpp"
#include "runtime/program/history_command.hpp"
#include "runtime/program/move_commands.hpp"
#include "runtime/program/node_check.hpp"
#include "runtime/program/node_trust.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/program/recovery.hpp"
#include "runtime/program/report_command.hpp"
#include "runtime/program/resume_command.hpp"
#include "runtime/program/workplace.hpp"

#include <nlohmann/json.hpp>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// Starting QEMU on a busy host, or ending it: first by `quit`, after 10 s by SIGKILL.
constexpr auto vm_deadline = 40s;

// -- looking -------------------------------------------------------------------------------------

int look(
  const options& o, const std::optional<node_id>& only,
  std::string (*as_table)(const workplace&, const survey&, const std::optional<node_id>&),
  std::string (*as_json)(const workplace&, const survey&, const std::optional<node_id>&)) {
  auto w = open_workplace(o, {});
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
  auto w = open_workplace(o, {fleet_access::control});
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

int carry_out(const options& o, const plan_options& c) {
  auto w = open_workplace(o, {});
  if (!w)
    return complain(w.error());
  auto p = plan_of(w->cluster, w->look(), {c.node, c.to, policy::ticket, std::nullopt});
  return p ? show_plan(o, *p) : complain(p.error());
}

int carry_out(const options& o, const migrate_options& c) { return migrate_vm(o, c); }

int carry_out(const options& o, const evacuate_options& c) { return evacuate_node(o, c); }

// -- recovering ----------------------------------------------------------------------------------

int carry_out(const options& o, const recover_options& c) {
  const auto access = c.dry_run ? fleet_access::observe : fleet_access::control;
  auto w = open_workplace(o, {access});
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
  return answer_with(report_past_run(o, c));
}

int carry_out(const options& o, const history_options& c) {
  return answer_with(told_history(o, c));
}

int carry_out(const options& o, const show_options& c) { return answer_with(shown_run(o, c)); }

int carry_out(const options& o, const evacuations_options&) { return list_evacuations(o); }

int carry_out(const options& o, const pause_options& c) { return pause_run(o, c.id); }

int carry_out(const options& o, const resume_options& c) { return resume_run(o, c); }

int carry_out(const options& o, const cancel_options& c) { return cancel_run(o, c.id); }

int carry_out(const options& o, const wait_options& c) { return wait_for_run(o, c.id); }

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
