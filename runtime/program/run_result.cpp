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
  std::vector<double> pauses, blackouts, handovers;
  for (const auto& m : r.migrations) {
    if (m.end != verdict::moved)
      r.stayed.push_back({m.vm, m.reason});
    else
      ++r.moved;
    if (m.figures.pause_s)
      pauses.push_back(*m.figures.pause_s);
    if (m.figures.blackout_s)
      blackouts.push_back(*m.figures.blackout_s);
    if (m.figures.handover_s)
      handovers.push_back(*m.figures.handover_s);
  }
  for (const auto& s : p.stays)
    r.stayed.push_back({s.vm, s.reason});
  std::sort(
    r.stayed.begin(), r.stayed.end(), [](const auto& a, const auto& b) { return a.vm < b.vm; });
  r.pause = distribution_of(std::move(pauses));
  r.blackout = distribution_of(std::move(blackouts));
  r.handover = distribution_of(std::move(handovers));
  r.code = code_of(r, p, report);
  if (report.objection)
    r.message = to_string(*report.objection);
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

} // namespace drover
