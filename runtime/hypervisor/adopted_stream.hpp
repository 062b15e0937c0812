// What a new agent makes of a stream that another one has begun, by QEMU's own two words for it.
// Pure. Rule: `query-migrate` keeps the last stream's end, which may be an earlier handover's, so
// the run state has to confirm it.
#pragma once

#include "runtime/hypervisor/run_files.hpp"

#include <cstdint>
#include <string>

namespace drover {

enum class adopted_stream : std::uint8_t {
  none, ///< a target that waits
  under_way,
  switching_over, ///< under way, and the vCPUs have stopped
  completed,
  cancelled,
  failed, ///< or never begun
};

/// `status` is of `query-status`, `migration` of `query-migrate` (empty: it told none).
adopted_stream judge_adopted(
  stream_role role, const std::string& status, const std::string& migration);

} // namespace drover
