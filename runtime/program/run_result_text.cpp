#include "runtime/program/run_result.hpp"

#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::ordered_json;

ordered_json json_of(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json json_of(const std::optional<distribution>& d) {
  if (!d)
    return {{"p50", nullptr}, {"p99", nullptr}, {"max", nullptr}};
  return {{"p50", d->p50}, {"p99", d->p99}, {"max", d->max}};
}

ordered_json json_of(const migration_result& m) {
  return {
    {"vmid", m.vm.value},
    {"source", m.source.value},
    {"target", m.target.value},
    {"result", std::string{to_string(m.end)}},
    {"reason", m.reason},
    {"policy", std::string{to_string(m.how)}},
    {"epoch", m.number.value},
    {"pause_s", json_of(m.figures.pause_s)},
    {"pause_error_s", m.figures.pause_error_s},
    {"pause_unknown", m.figures.pause_unknown},
    {"blackout_s", json_of(m.figures.blackout_s)},
    {"handover_s", json_of(m.figures.handover_s)},
    {"total_s", m.total_s},
    {"bytes", m.figures.bytes}};
}

std::string milliseconds_text(const std::optional<double>& value_s) {
  return value_s ? fmt::format("{:.2f}", *value_s * 1000) : "-";
}

/// "2.31", or "2.31 ±0.04" between two hosts.
std::string pause_text(const migration_figures& f) {
  auto text = milliseconds_text(f.pause_s);
  if (f.pause_s && f.pause_error_s > 0)
    text += fmt::format(" ±{:.2f}", f.pause_error_s * 1000);
  return text;
}

void append_distribution(
  std::string& out, std::string_view name, const std::optional<distribution>& d) {
  const auto figure = [&](double distribution::*field) {
    return milliseconds_text(d ? std::optional<double>{(*d).*field} : std::nullopt);
  };
  fmt::format_to(
    std::back_inserter(out), "  {:<10} {:>9} {:>9} {:>9}\n", name, figure(&distribution::p50),
    figure(&distribution::p99), figure(&distribution::max));
}

} // namespace

std::string to_json(const run_result& r) {
  ordered_json stayed = ordered_json::array();
  for (const auto& s : r.stayed)
    stayed.push_back({{"vmid", s.vm.value}, {"reason", s.reason}});
  ordered_json migrations = ordered_json::array();
  for (const auto& m : r.migrations)
    migrations.push_back(json_of(m));
  ordered_json whole = {
    {"result", std::string{to_string(r.code)}},
    {"exit_code", static_cast<int>(r.code)},
    {"message", r.message},
    {"moved", r.moved},
    {"stayed", stayed},
    {"duration_s", r.duration_s},
    {"pause_s", json_of(r.pause)},
    {"blackout_s", json_of(r.blackout)},
    {"handover_s", json_of(r.handover)},
    {"migrations", migrations}};
  if (!r.id.empty())
    whole["id"] = r.id;
  return whole.dump(2) + "\n";
}

std::string to_table(const run_result& r) {
  std::string out;
  auto into = std::back_inserter(out);
  if (!r.migrations.empty()) {
    fmt::format_to(
      into, "{:>9}  {:<10} {:<10} {:<14} {:>14} {:>9} {:>9} {:>8} {:>9}\n", "VMID", "SOURCE",
      "TARGET", "RESULT", "PAUSE ms", "BLACK ms", "HAND ms", "TOTAL s", "MIB");
    for (const auto& m : r.migrations)
      fmt::format_to(
        into, "{:>9}  {:<10} {:<10} {:<14} {:>14} {:>9} {:>9} {:>8.2f} {:>9.2f}\n", m.vm.value,
        m.source.value, m.target.value, to_string(m.end), pause_text(m.figures),
        milliseconds_text(m.figures.blackout_s), milliseconds_text(m.figures.handover_s), m.total_s,
        static_cast<double>(m.figures.bytes) / (1024 * 1024));
    fmt::format_to(into, "\n  {:<10} {:>9} {:>9} {:>9}  (ms)\n", "pause", "p50", "p99", "max");
    append_distribution(out, "blackout", r.blackout);
    append_distribution(out, "handover", r.handover);
    append_distribution(out, "total", r.pause);
    out += "\n";
  }
  for (const auto& m : r.migrations)
    if (!m.figures.pause_unknown.empty())
      fmt::format_to(into, "VM {}: no pause is told, {}\n", m.vm.value, m.figures.pause_unknown);
  for (const auto& s : r.stayed)
    fmt::format_to(into, "VM {} did not move: {}\n", s.vm.value, s.reason);
  if (!r.message.empty())
    fmt::format_to(into, "{}\n", r.message);
  fmt::format_to(
    into, "{}: {} moved, {} did not, in {:.1f} s\n", to_string(r.code), r.moved, r.stayed.size(),
    r.duration_s);
  if (!r.id.empty())
    fmt::format_to(into, "drover report {} tells it again\n", r.id);
  return out;
}

} // namespace drover
