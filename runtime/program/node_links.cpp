#include "runtime/program/node_links.hpp"

#include "runtime/link/process_link.hpp"
#include "runtime/link/ssh/ssh_link.hpp"
#include "runtime/program/agent_command.hpp"
#include "runtime/program/passphrase_prompt.hpp"
#include "runtime/program/traced_link.hpp"

#include <cstdlib>
#include <utility>

namespace drover {
namespace {

std::string log_path_of(const link_needs& needs, const node_id& node) {
  return needs.agent_log_dir.empty() ? std::string{}
                                     : (needs.agent_log_dir / (node.value + ".agent.log")).string();
}

ssh_pacing pacing_of(const ssh_settings& ssh) { return {ssh.logins, ssh.logins_per_host}; }

} // namespace

login_help login_help_of_program() {
  const char* socket = std::getenv("SSH_AUTH_SOCK");
  return {socket == nullptr ? "" : socket, passphrase_prompt()};
}

ssh_link_settings ssh_link_settings_of(
  const cluster_file& cluster, const cluster_node& node, const link_needs& needs,
  std::vector<std::string> argv) {
  ssh_link_settings s;
  s.node = node.node.value;
  s.host = node.place.host;
  s.port = node.place.port;
  s.user = node.place.user;
  s.argv = std::move(argv);
  s.identity_file = node.place.identity_file.string();
  s.agent_socket = needs.logins.agent_socket;
  s.known_hosts_path = cluster.ssh.known_hosts.string();
  s.log_path = log_path_of(needs, node.node);
  s.connect_within = cluster.ssh.connect_within;
  s.login_within = cluster.ssh.login_within;
  s.beat_every = cluster.ssh.beat_every;
  s.beat_within = cluster.ssh.beat_within;
  s.tcp_user_timeout = cluster.ssh.beat_within;
  return s;
}

result<node_links> node_links::of(const cluster_file& cluster, const link_needs& needs) {
  node_links made;
  const auto loop = made.loop_ = std::make_shared<link_loop>();
  std::shared_ptr<ssh_shared> shared;
  for (const auto& [id, node] : cluster.nodes) {
    link_ptr way;
    if (node.link == link_kind::ssh) {
      if (!shared)
        shared = std::make_shared<ssh_shared>(loop, pacing_of(cluster.ssh), needs.logins.ask);
      way = std::make_shared<ssh_link>(
        loop, shared,
        ssh_link_settings_of(
          cluster, node, needs, agent_command(node.place.agent, cluster, node, needs.access)));
    } else {
      const auto agent = agent_program(cluster);
      if (!agent)
        return tl::unexpected<error>(agent.error());
      process_link_settings child;
      child.argv = agent_command(*agent, cluster, node, needs.access);
      child.log_path = log_path_of(needs, id);
      way = made.children_[id] = std::make_shared<process_link>(loop, std::move(child));
    }
    made.links_[id] =
      needs.trace ? std::make_shared<traced_link>(std::move(way), id, needs.trace) : way;
  }
  return made;
}

std::optional<pid_t> node_links::agent_pid(const node_id& node) const {
  const auto child = children_.find(node);
  if (child == children_.end() || child->second->pid() == 0)
    return std::nullopt;
  return child->second->pid();
}

} // namespace drover
