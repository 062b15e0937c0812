// The store of a local world, looked at and filled beside the agents. Rule: whatever kind it is,
// what it holds is told as the files of a cluster directory.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/cluster/cluster_file.hpp"

#include <map>
#include <string>

namespace drover {

class local_store {
public:
  explicit local_store(const cluster_file& cluster) : cluster_(cluster) {}

  /// Writes as this node, so that this node sees it at once.
  result<done> create_configs(const node_id& node, const std::map<vm_id, std::string>& texts) const;
  /// Names below the store's directory and texts: configs and records as they stand now, whatever
  /// any node sees.
  std::map<std::string, std::string> files() const;

private:
  const cluster_file& cluster_;
};

} // namespace drover
