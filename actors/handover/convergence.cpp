#include "actors/handover/convergence.hpp"

#include <algorithm>

namespace drover {

convergence::convergence(std::uint32_t budget_ms)
  : budget_ms_(budget_ms == 0 ? budget_default_ms : budget_ms),
    limit_ms_(std::min(first_limit_ms, budget_ms_)) {}

std::optional<std::uint32_t> convergence::step(const wire::stream_progress& report) {
  if (limit_ms_ == budget_ms_ || report.passes < passes_at_rung_ + passes_per_rung)
    return std::nullopt;
  passes_at_rung_ = report.passes;
  limit_ms_ = std::min(limit_ms_ * 2, budget_ms_);
  return limit_ms_;
}

} // namespace drover
