// How a node's agent is started over a link. Rule: the flags are those of
// runtime/bin/drover_agent.cpp; nothing secret is among them.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/program/fleet_access.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace drover {

/// The agent's program: the cluster file's, else the one beside this program; `invalid` when it
/// is not there.
result<std::filesystem::path> agent_program(const cluster_file& cluster);

std::vector<std::string> agent_command(
  const std::filesystem::path& agent, const cluster_file& cluster, const cluster_node& node,
  fleet_access access);

/// The same for an agent that first tells what the node lacks, and only looks.
std::vector<std::string> agent_check_command(
  const std::filesystem::path& agent, const cluster_file& cluster, const cluster_node& node);

} // namespace drover
