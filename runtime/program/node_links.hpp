// The links of a cluster's nodes, as its file says: child processes, or SSH sessions that share one
// loop, its pacing and its passphrases. Rule: it makes links and opens none.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/link/link.hpp"
#include "runtime/link/link_loop.hpp"
#include "runtime/link/ssh/ssh_settings.hpp"
#include "runtime/link/ssh/ssh_shared.hpp"
#include "runtime/program/fleet_access.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

/// What a login needs from around the program.
struct login_help {
  std::string agent_socket; ///< of the ssh-agent; empty = there is none
  ask_passphrase ask;       ///< empty = nobody can be asked
};

/// SSH_AUTH_SOCK, and a prompt where there is a terminal.
login_help login_help_of_program();

struct link_needs {
  fleet_access access = fleet_access::control;
  std::filesystem::path agent_log_dir; ///< empty = this program's standard error
  login_help logins = login_help_of_program();
  std::shared_ptr<trace_sink> trace; ///< hears of every opening; may be empty
};

class node_links {
public:
  /// `invalid` when a node needs an agent program on this machine and there is none.
  static result<node_links> of(const cluster_file& cluster, const link_needs& needs);

  const link_ptr& at(const node_id& node) const { return links_.at(node); }
  /// The thread of them all.
  const std::shared_ptr<link_loop>& loop() const { return loop_; }
  /// The agent's process where it is a child of this one.
  std::optional<pid_t> agent_pid(const node_id& node) const;

private:
  std::shared_ptr<link_loop> loop_;
  std::map<node_id, link_ptr> links_;
  std::map<node_id, std::shared_ptr<class process_link>> children_;
};

/// How the link to one node is opened; `argv` is what is started there.
ssh_link_settings ssh_link_settings_of(
  const cluster_file& cluster, const cluster_node& node, const link_needs& needs,
  std::vector<std::string> argv);

} // namespace drover
