// The hosts of a scenario whose links are SSH: an sshd each, with its own address, host key and
// files. Rule: hosts in network namespaces where those are allowed, else ports of 127.0.0.1, which
// `how` tells; nothing of the machine's own SSH is read or written, and all of it ends by pid.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/scenario/host_network.hpp"
#include "runtime/scenario/scenario_file.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace drover {

class ssh_hosts {
public:
  /// Files go to `room`/hosts.
  static result<std::unique_ptr<ssh_hosts>> open(
    const std::filesystem::path& room, const std::map<node_id, host_login>& nodes);
  ~ssh_hosts();
  ssh_hosts(const ssh_hosts&) = delete;
  ssh_hosts& operator=(const ssh_hosts&) = delete;

  /// One sentence for people: where the hosts are.
  const std::string& how() const { return how_; }
  /// Has every node of the cluster reached there, with `agent` as its agent.
  void reach(cluster_file& cluster, const std::filesystem::path& agent) const;

  /// sshd and its sessions die; until `restore` nobody can log in.
  result<done> cut(const node_id& node);
  /// Nothing passes, and nobody is told, until `restore`.
  result<done> stall(const node_id& node);
  /// Both of them healed.
  result<done> restore(const node_id& node);

  std::vector<std::string> close();

private:
  struct host {
    std::string address;
    std::string stream_address;
    std::uint16_t port = 22;
    std::vector<std::string> prefix; ///< of a command line that runs there
    pid_t listener = 0;
    std::size_t index = 0;
    host_login login = host_login::usual;
    std::vector<pid_t> stalled; ///< stopped by `stall` where there is no network of our own
  };
  explicit ssh_hosts(const std::filesystem::path& room) : place_(room / "hosts") {}

  void settle(const std::map<node_id, host_login>& nodes, const std::filesystem::path& room);
  result<done> make_keys();
  result<done> start(const node_id& node);
  result<done> start_once(const node_id& node, host& at);
  static void end(host& at);
  void write_config(const node_id& node, const host& at) const;
  void write_known_hosts() const;
  std::filesystem::path file(const node_id& node, const std::string& name) const;

  std::filesystem::path place_;
  std::string how_;
  std::mutex mutex_; ///< for what breaks and heals while a scenario runs
  std::optional<host_network> network_;
  std::map<node_id, host> hosts_;
};

} // namespace drover
