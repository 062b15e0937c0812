// The ladder of the downtime limit: how long a pause QEMU may plan with. Rule: the limit climbs to
// the VM's budget and never past it, because QEMU uses whatever limit it is given.
#pragma once

#include "runtime/wire/message.hpp"

#include <cstdint>
#include <optional>

namespace drover {

class convergence {
public:
  /// QEMU's own default of 300 ms is a budget, not a goal: streams start far below it.
  static constexpr std::uint32_t budget_default_ms = 300;
  static constexpr std::uint32_t first_limit_ms = 30;
  /// Passes over memory that a limit gets before the next rung. Two passes tell nothing: the first
  /// sends everything, the second what was written meanwhile.
  static constexpr std::uint32_t passes_per_rung = 3;

  /// `budget_ms` 0 = the default budget.
  explicit convergence(std::uint32_t budget_ms = 0);

  std::uint32_t limit_ms() const { return limit_ms_; }
  std::uint32_t budget_ms() const { return budget_ms_; }
  /// The new limit when this report calls for one.
  [[nodiscard]] std::optional<std::uint32_t> step(const wire::stream_progress& report);

private:
  std::uint32_t budget_ms_;
  std::uint32_t limit_ms_;
  std::uint32_t passes_at_rung_ = 0;
};

} // namespace drover
