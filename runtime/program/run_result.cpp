#include "runtime/program/run_result.hpp"

#include <algorithm>
#include <cmath>

namespace drover {
namespace {

/// Nearest rank: the smallest value that at least `share` of all values do not exceed.
double quantile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

outcome_code code_of(const run_result& r, const plan& p, const evacuation_report& report) {
  if (report.objection)
    return outcome_code::usage_or_internal;
  const auto ends_as = [](verdict v) { return [v](const auto& m) { return m.end == v; }; };
  if (std::any_of(r.migrations.begin(), r.migrations.end(), ends_as(verdict::needs_operator)))
    return outcome_code::needs_operator;
  const bool all_asked_moved =
    std::all_of(r.migrations.begin(), r.migrations.end(), ends_as(verdict::moved));
  if (!all_asked_moved && report.cancelled)
    return outcome_code::cancelled;
  return all_asked_moved ? static_cast<outcome_code>(exit_code(p)) : outcome_code::some_stayed;
}

/// Which of two outcomes tells more: a higher number does.
int severity(outcome_code code) {
  switch (code) {
  case outcome_code::all_moved:
    return 0;
  case outcome_code::some_stayed:
    return 1;
  case outcome_code::cancelled:
    return 2;
  case outcome_code::infeasible:
    return 3;
  case outcome_code::deadline_passed:
    return 4;
  case outcome_code::usage_or_internal:
    return 5;
  case outcome_code::needs_operator:
    break;
  }
  return 6;
}

/// Orders what did not move and computes the figures over all migrations.
void summarize(run_result& r) {
  std::sort(
    r.stayed.begin(), r.stayed.end(), [](const auto& a, const auto& b) { return a.vm < b.vm; });
  const auto figures = [&r](std::optional<double> migration_figures::*figure) {
    std::vector<double> values;
    for (const auto& m : r.migrations)
      if (const auto& value = m.figures.*figure)
        values.push_back(*value);
    return distribution_of(std::move(values));
  };
  r.pause = figures(&migration_figures::pause_s);
  r.blackout = figures(&migration_figures::blackout_s);
  r.handover = figures(&migration_figures::handover_s);
}

} // namespace

std::string_view to_string(outcome_code code) {
  switch (code) {
  case outcome_code::all_moved:
    return "all_moved";
  case outcome_code::some_stayed:
    return "some_stayed";
  case outcome_code::infeasible:
    return "infeasible";
  case outcome_code::cancelled:
    return "cancelled";
  case outcome_code::deadline_passed:
    return "deadline_passed";
  case outcome_code::needs_operator:
    return "needs_operator";
  case outcome_code::usage_or_internal:
    break;
  }
  return "error";
}

std::optional<distribution> distribution_of(std::vector<double> values) {
  if (values.empty())
    return std::nullopt;
  std::sort(values.begin(), values.end());
  return distribution{quantile(values, 0.5), quantile(values, 0.99), values.back()};
}

run_result result_of(const plan& p, const evacuation_report& report) {
  run_result r;
  r.migrations = report.migrations;
  r.duration_s = report.duration_s;
  for (const auto& m : r.migrations) {
    if (m.end != verdict::moved)
      r.stayed.push_back({m.vm, m.reason});
    else
      ++r.moved;
  }
  for (const auto& s : p.stays)
    r.stayed.push_back({s.vm, s.reason});
  r.code = code_of(r, p, report);
  if (report.objection)
    r.message = to_string(*report.objection);
  summarize(r);
  return r;
}

run_result result_of_infeasible(const plan& p) {
  run_result r;
  r.code = outcome_code::infeasible;
  r.message = "the whole set does not fit, so nothing was moved";
  for (const auto& s : p.stays)
    r.stayed.push_back({s.vm, s.reason});
  return r;
}

run_result combined(const std::vector<run_result>& all) {
  run_result r;
  for (const auto& one : all) {
    r.migrations.insert(r.migrations.end(), one.migrations.begin(), one.migrations.end());
    r.stayed.insert(r.stayed.end(), one.stayed.begin(), one.stayed.end());
    r.moved += one.moved;
    r.duration_s = std::max(r.duration_s, one.duration_s);
    if (severity(one.code) >= severity(r.code)) {
      r.code = one.code;
      r.message = one.message;
    }
  }
  summarize(r);
  return r;
}

} // namespace drover
