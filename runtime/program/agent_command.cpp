#include "runtime/program/agent_command.hpp"

#include "runtime/cluster/delay_text.hpp"

#include <unistd.h>

namespace drover {
namespace {

std::string store_flag(const cluster_file& cluster) {
  return std::string(to_string(cluster.store)) + ":" + cluster.store_path.string();
}

} // namespace

result<std::filesystem::path> agent_program(const cluster_file& cluster) {
  std::error_code ignored;
  auto agent = cluster.agent;
  if (agent.empty())
    agent = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "drover-agent";
  if (access(agent.c_str(), X_OK) != 0)
    return fail(
      errc::invalid,
      "there is no agent program at " + agent.string() + "; the cluster file's \"agent\" names it");
  return agent;
}

std::vector<std::string> agent_command(
  const std::filesystem::path& agent, const cluster_file& cluster, const cluster_node& node,
  fleet_access access) {
  std::vector<std::string> argv{agent.string(), "--stdio",
                                "--node",       node.node.value,
                                "--run-dir",    node.run_dir.string(),
                                "--store",      store_flag(cluster),
                                "--address",    node.migration_address,
                                "--qemu",       cluster.qemu,
                                "--accel",      cluster.accel};
  if (cluster.store == store_kind::lagging) {
    argv.emplace_back("--store-lag");
    argv.push_back(format_delay(node.store_lag));
  }
  if (node.bandwidth_mib_s > 0) {
    argv.emplace_back("--bandwidth-mib-s");
    argv.push_back(std::to_string(node.bandwidth_mib_s));
  }
  for (const auto& [name, storage] : cluster.storages) {
    argv.emplace_back("--storage");
    argv.push_back(name + "=" + storage.path.string() + (storage.shared ? ",shared" : ""));
  }
  if (access == fleet_access::observe)
    argv.emplace_back("--observe");
  return argv;
}

std::vector<std::string> agent_check_command(
  const std::filesystem::path& agent, const cluster_file& cluster, const cluster_node& node) {
  auto argv = agent_command(agent, cluster, node, fleet_access::observe);
  argv.emplace_back("--check");
  return argv;
}

} // namespace drover
