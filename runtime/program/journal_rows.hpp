// What a plan and the end of a run are in the journal, and back. Rule: pure.
#pragma once

#include "actors/evacuation/plan.hpp"
#include "runtime/journal/journal.hpp"
#include "runtime/program/run_result.hpp"

#include <vector>

namespace drover {

/// Every VM of the plan: its steps in their order, then what it leaves where it is.
std::vector<journal_vm> journal_vms_of(const plan& p, wall_time now);

/// How many of them are where the plan wants them, are not, or have not ended.
struct journal_count {
  std::uint32_t moved = 0;
  std::uint32_t stayed = 0; ///< by plan, or because the migration failed
  std::uint32_t left = 0;   ///< still to come or under way
};

journal_count count_of(const std::vector<journal_vm>& vms);

/// Of what moved.
std::optional<distribution> pauses_of(const std::vector<journal_vm>& vms);

} // namespace drover
