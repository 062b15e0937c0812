#include "runtime/program/recovery.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;
using verdict_of_vm = recovery_verdict;

bool is_told(const recovery_case& one, const recovery_report& report) {
  const auto v = one.row->verdict;
  if (v == verdict_of_vm::nothing)
    return false;
  const bool tells = v == verdict_of_vm::needs_operator || v == verdict_of_vm::leave_alone;
  return tells || v == verdict_of_vm::wait || report.mode == recovery_mode::dry_run;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::vector<std::string> steps_of(const recovery_case& one) {
  std::vector<std::string> words;
  for (const auto step : one.row->steps)
    words.push_back(fmt::format(
      "{} on {}", to_string(step), is_at_target(step) ? one.target.value : one.source.value));
  return words;
}

std::string line_of(const recovery_action& a) {
  auto line = fmt::format("VM {}: {}: {}", a.vm.value, to_string(a.verdict), a.reason);
  if (!a.steps.empty())
    line += "; done: " + joined(a.steps);
  if (!a.refused.empty())
    line += "; refused: " + a.refused;
  return line + "\n";
}

std::string lines_of(const recovery_case& one) {
  const auto name = one.name.empty() ? "" : " (" + one.name + ")";
  auto text =
    fmt::format("VM {}{}: {}: {}\n", one.vm.value, name, to_string(one.row->verdict), one.reason());
  if (one.row->verdict == verdict_of_vm::needs_operator)
    text += "  missing: " + one.missing() + "\n  then:    " + one.command() + "\n";
  if (!one.row->steps.empty())
    text += "  would: " + joined(steps_of(one)) + "\n";
  return text;
}

std::string findings(const recovery_report& report) {
  std::string text;
  for (const auto& action : report.actions)
    text += line_of(action);
  for (const auto& one : report.last)
    if (is_told(one, report))
      text += lines_of(one);
  return text;
}

std::string loose_ends(const recovery_report& report) {
  std::string text;
  auto into = std::back_inserter(text);
  const auto& left = report.stray_left;
  for (const auto& one : report.stray) {
    const bool is_left = std::find(left.begin(), left.end(), one) != left.end();
    const auto* marks = report.mode == recovery_mode::dry_run ? "would be removed"
                        : is_left                             ? "could not be removed"
                                                              : "are removed";
    fmt::format_to(
      into, "VM {}: no node has it; its marks on {} {}\n", one.second.value, one.first.value,
      marks);
  }
  for (const auto& [node, names] : report.litter)
    fmt::format_to(
      into, "node {}: left of streams whose QEMU is gone, {}: {}\n", node.value,
      report.mode == recovery_mode::dry_run ? "would be removed" : "removed",
      fmt::join(names, ", "));
  for (const auto& [node, vm] : report.idle)
    fmt::format_to(
      into, "VM {}: does not run on {}, although its config says onboot\n", vm.value, node.value);
  for (const auto& [node, why] : report.silent)
    fmt::format_to(
      into, "node {} does not answer{}: {}\n", node.value,
      report.words.fenced.contains(node) ? " (fenced)" : "", why);
  return text;
}

ordered_json json_of(const recovery_case& one) {
  const auto& row = *one.row;
  return {
    {"vmid", one.vm.value},
    {"name", one.name},
    {"source", one.source.value},
    {"target", one.target.value},
    {"verdict", std::string{to_string(row.verdict)}},
    {"found", std::string{row.name}},
    {"reason", one.reason()},
    {"missing", one.missing()},
    {"command", one.command()},
    {"steps", steps_of(one)}};
}

} // namespace

std::string recovery_text(const recovery_report& report) {
  if (!report.objection.empty())
    return "nothing was done: " + report.objection + "\n";
  const auto at_rest = std::count_if(report.last.begin(), report.last.end(), [](const auto& one) {
    return one.row->verdict == verdict_of_vm::nothing;
  });
  return findings(report) + loose_ends(report) +
         fmt::format("{} of {} VMs are at rest\n", at_rest, report.last.size());
}

std::string recovery_notice(const recovery_report& report) {
  return report.objection.empty() ? findings(report) : recovery_text(report);
}

std::string recovery_json(const recovery_report& report) {
  ordered_json actions = ordered_json::array();
  for (const auto& a : report.actions)
    actions.push_back(
      {{"vmid", a.vm.value},
       {"verdict", std::string{to_string(a.verdict)}},
       {"reason", a.reason},
       {"steps", a.steps},
       {"refused", a.refused}});
  ordered_json vms = ordered_json::array();
  for (const auto& one : report.last)
    vms.push_back(json_of(one));
  const auto pairs = [](const std::vector<std::pair<node_id, vm_id>>& all) {
    ordered_json list = ordered_json::array();
    for (const auto& [node, vm] : all)
      list.push_back({{"node", node.value}, {"vmid", vm.value}});
    return list;
  };
  ordered_json silent = ordered_json::array();
  for (const auto& [node, why] : report.silent)
    silent.push_back(
      {{"node", node.value}, {"fenced", report.words.fenced.contains(node)}, {"reason", why}});
  ordered_json litter = ordered_json::array();
  for (const auto& [node, names] : report.litter)
    for (const auto& name : names)
      litter.push_back({{"node", node.value}, {"file", name}});
  return ordered_json{
           {"exit_code", exit_code(report)},
           {"objection", report.objection},
           {"actions", actions},
           {"vms", vms},
           {"stray_marks", pairs(report.stray)},
           {"stray_marks_left", pairs(report.stray_left)},
           {"idle", pairs(report.idle)},
           {"litter", litter},
           {"unreachable", silent}}
           .dump(2) +
         "\n";
}

} // namespace drover
