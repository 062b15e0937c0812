#include "runtime/cluster/limits.hpp"

#include "runtime/cluster/checked_values.hpp"

#include <string>

namespace drover {
namespace {

constexpr std::uint32_t limit_max = 100000;

std::uint32_t read_limit(
  wire::object_reader& from, const std::string& key, std::uint32_t fallback) {
  return read_number(from, key, fallback, 1, limit_max);
}

} // namespace

cluster_limits read_cluster_limits(wire::object_reader& document) {
  cluster_limits limits;
  if (!document.look("limits"))
    return limits;
  auto from = document.object("limits");
  limits.cluster = read_limit(from, "cluster", limits.cluster);
  limits.prepare = read_limit(from, "prepare", limits.prepare);
  limits.inbound = read_limit(from, "inbound", limits.inbound);
  limits.streams = read_limit(from, "streams", limits.streams);
  limits.windows = read_limit(from, "windows", limits.windows);
  from.refuse_unknown();
  return limits;
}

node_limits read_node_limits(wire::object_reader& node, const cluster_limits& of_cluster) {
  node_limits limits{of_cluster.prepare, of_cluster.inbound, of_cluster.streams};
  if (!node.look("limits"))
    return limits;
  auto from = node.object("limits");
  limits.prepare = read_limit(from, "prepare", limits.prepare);
  limits.inbound = read_limit(from, "inbound", limits.inbound);
  limits.streams = read_limit(from, "streams", limits.streams);
  from.refuse_unknown();
  return limits;
}

} // namespace drover
