// The command line's word on limits over the cluster file's. Rule: a flag sets what it names, and
// widens what would otherwise make it a word without effect.
#pragma once

#include "runtime/cluster/cluster_file.hpp"

#include <cstdint>
#include <optional>

namespace drover {

/// `streams_max` per node, `prepare_max` per node; nullopt leaves the file's values.
void limit(
  cluster_file& cluster, std::optional<std::uint32_t> streams_max,
  std::optional<std::uint32_t> prepare_max);

} // namespace drover
