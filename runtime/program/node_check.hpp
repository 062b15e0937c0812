// `drover node check`: what each node has and lacks, from the login to the clock. Rule: it looks
// and changes nothing; all nodes are asked side by side, and what is missing comes with the command
// that mends it.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/program/node_links.hpp"
#include "runtime/readiness/readiness_report.hpp"

#include <map>
#include <string>
#include <vector>

namespace drover {

/// Items of each node: login, agent, qemu, store, migration_address, run_dir, clock; those that
/// could not be looked at are left out.
using readiness = std::map<node_id, std::vector<readiness_item>>;

/// `invalid` for an unknown node; empty `nodes` = all.
result<readiness> check_nodes(
  const cluster_file& cluster, const std::vector<node_id>& nodes, const login_help& logins);

bool all_ready(const readiness& seen);
std::string readiness_table(const readiness& seen);
std::string readiness_json(const readiness& seen);

} // namespace drover
