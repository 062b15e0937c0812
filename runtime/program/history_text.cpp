#include "runtime/program/history_text.hpp"

#include "runtime/cluster/byte_size.hpp"
#include "runtime/journal/run_id.hpp"

#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

std::string ms_text(const ordered_json& s) {
  return s.is_null() ? "-" : fmt::format("{:.2f}", s.get<double>() * 1000);
}

ordered_json or_null(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

std::string state_text(const journal_vm& vm) {
  return vm.result.empty() ? vm.phase : vm.result == "left_out" ? "stays" : vm.result;
}

/// A value of an event, for people: text without its quotes.
std::string plain(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

} // namespace

std::string_view to_string(run_status state) {
  switch (state) {
  case run_status::running:
    return "running";
  case run_status::paused:
    return "paused";
  case run_status::cancelling:
    return "cancelling";
  case run_status::interrupted:
    return "interrupted";
  case run_status::ended:
    break;
  }
  return "ended";
}

run_status status_of(const journal_run& run, run_life life) {
  if (run.ended)
    return run_status::ended;
  if (life == run_life::left_alone)
    return run_status::interrupted;
  switch (run.wish) {
  case run_wish::pause:
    return run_status::paused;
  case run_wish::cancel:
    return run_status::cancelling;
  case run_wish::go_on:
    break;
  }
  return run_status::running;
}

ordered_json run_in_short(const told_run_row& row) {
  const auto count = count_of(row.vms);
  const auto pause = pauses_of(row.vms);
  const auto& r = row.run;
  return {
    {"id", r.id},
    {"what", r.what},
    {"node", r.node.value},
    {"cluster", r.cluster},
    {"policy", to_string(r.how)},
    {"state", to_string(row.status)},
    {"result", r.result},
    {"exit_code", r.ended ? ordered_json(r.exit_code) : ordered_json(nullptr)},
    {"begun", moment_text(r.begun)},
    {"ended", r.ended ? ordered_json(moment_text(*r.ended)) : ordered_json(nullptr)},
    {"controller", r.controller},
    {"moved", count.moved},
    {"stayed", count.stayed},
    {"left", count.left},
    {"pause_s",
     {{"p50", pause ? ordered_json(pause->p50) : ordered_json(nullptr)},
      {"max", pause ? ordered_json(pause->max) : ordered_json(nullptr)}}}};
}

std::string runs_table(const ordered_json& runs) {
  if (runs.empty())
    return "no run was written down yet\n";
  std::string out;
  auto into = std::back_inserter(out);
  fmt::format_to(
    into, "{:<36} {:<16} {:<14} {:>6} {:>6} {:>6} {:>9} {:>9}\n", "ID", "CLUSTER", "STATE", "MOVED",
    "STAYED", "LEFT", "p50 ms", "max ms");
  for (const auto& r : runs) {
    const auto state = r.at("state") == "ended" ? r.at("result") : r.at("state");
    fmt::format_to(
      into, "{:<36} {:<16} {:<14} {:>6} {:>6} {:>6} {:>9} {:>9}\n", plain(r.at("id")),
      plain(r.at("cluster")), plain(state), plain(r.at("moved")), plain(r.at("stayed")),
      plain(r.at("left")), ms_text(r.at("pause_s").at("p50")), ms_text(r.at("pause_s").at("max")));
  }
  return out;
}

ordered_json run_in_full(const told_run_row& row) {
  auto told = run_in_short(row);
  told["cluster_file"] = row.run.cluster_file;
  told["vms"] = ordered_json::array();
  for (const auto& vm : row.vms)
    told["vms"].push_back(
      {{"vmid", vm.vm.value},
       {"name", vm.name},
       {"source", vm.source.value},
       {"target", vm.target.value},
       {"memory_bytes", vm.memory_bytes},
       {"phase", vm.phase},
       {"epoch", vm.number.value},
       {"changed", moment_text(vm.changed)},
       {"result", vm.result},
       {"reason", vm.reason},
       {"pause_s", or_null(vm.pause_s)},
       {"blackout_s", or_null(vm.blackout_s)},
       {"handover_s", or_null(vm.handover_s)},
       {"total_s", vm.total_s},
       {"bytes", vm.bytes}});
  return told;
}

std::string run_table(const told_run_row& row) {
  const auto& r = row.run;
  std::string out;
  auto into = std::back_inserter(out);
  fmt::format_to(
    into, "{}: {} {} of {}, policy {}\n", r.id, r.what, r.node.value, r.cluster, to_string(r.how));
  fmt::format_to(into, "begun {} by {}\n", moment_text(r.begun), r.controller);
  if (r.ended)
    fmt::format_to(into, "ended {}: {}\n", moment_text(*r.ended), r.result);
  else
    fmt::format_to(into, "{}\n", to_string(row.status));
  const auto count = count_of(row.vms);
  fmt::format_to(into, "{} moved, {} stayed, {} left\n\n", count.moved, count.stayed, count.left);
  fmt::format_to(
    into, "{:<10} {:<20} {:>10} {:<12} {:<14} {:>9}  {}\n", "VMID", "NAME", "MEMORY", "TARGET",
    "STATE", "PAUSE ms", "BECAUSE");
  for (const auto& vm : row.vms) {
    auto line = fmt::format(
      "{:<10} {:<20} {:>10} {:<12} {:<14} {:>9}  {}", vm.vm.value, vm.name,
      format_byte_size(vm.memory_bytes), vm.target.value.empty() ? "-" : vm.target.value,
      state_text(vm), ms_text(or_null(vm.pause_s)), vm.reason);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string event_line(const journal_event& event) {
  const auto told = ordered_json::parse(event.text, nullptr, false);
  const auto us = event.at.time_since_epoch().count() % 1'000'000;
  auto line = fmt::format("{}.{:03}", moment_text(event.at).substr(0, 19), us / 1000);
  line += event.vm == vm_id{} ? std::string{} : "  VM " + to_string(event.vm);
  if (!told.is_object() || !told.contains("event"))
    return line + "  " + event.text + "\n";
  line += "  " + plain(told.at("event"));
  for (const auto& [key, value] : told.items())
    if (key != "at" && key != "event" && key != "vm" && key != "marked_at")
      line += " " + key + "=" + plain(value);
  return line + "\n";
}

} // namespace drover
