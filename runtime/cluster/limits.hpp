// How much a cluster and its nodes may do at once. Rule: a limit is at least 1; a node has the
// cluster's where it has none of its own.
#pragma once

#include "runtime/wire/json_reader.hpp"

#include <cstdint>

namespace drover {

/// How much at once; no migration exceeds any of them.
struct cluster_limits {
  std::uint32_t cluster = 32; ///< migrations in the whole cluster
  std::uint32_t prepare = 8;  ///< migrations that leave one node, prepared or streaming
  std::uint32_t inbound = 8;  ///< migrations that enter one node
  std::uint32_t streams = 2;  ///< memory streams at one node's uplink
  std::uint32_t windows = 4;  ///< handovers in the whole cluster

  bool operator==(const cluster_limits&) const = default;
};

/// Those limits that a node may have of its own.
struct node_limits {
  std::uint32_t prepare = 8;
  std::uint32_t inbound = 8;
  std::uint32_t streams = 2;

  bool operator==(const node_limits&) const = default;
};

/// The field `limits` of a document, or the defaults.
cluster_limits read_cluster_limits(wire::object_reader& document);
/// The field `limits` of a node.
node_limits read_node_limits(wire::object_reader& node, const cluster_limits& of_cluster);

} // namespace drover
