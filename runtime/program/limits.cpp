#include "runtime/program/limits.hpp"

#include <algorithm>

namespace drover {

void limit(
  cluster_file& cluster, std::optional<std::uint32_t> streams_max,
  std::optional<std::uint32_t> prepare_max) {
  auto& whole = cluster.limits;
  if (streams_max) {
    whole.streams = *streams_max;
    whole.windows = std::max(whole.windows, *streams_max);
  }
  if (prepare_max) {
    whole.prepare = *prepare_max;
    whole.inbound = std::max(whole.inbound, *prepare_max);
    whole.cluster = std::max(whole.cluster, *prepare_max);
  }
  for (auto& [id, node] : cluster.nodes) {
    if (streams_max)
      node.limits.streams = *streams_max;
    if (prepare_max) {
      node.limits.prepare = *prepare_max;
      node.limits.inbound = std::max(node.limits.inbound, *prepare_max);
    }
  }
}

} // namespace drover
