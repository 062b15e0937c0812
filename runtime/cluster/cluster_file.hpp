// The cluster file: which nodes there are, how they are reached and how much they may do at once.
// Rule: parsed strictly (an unknown field is an error), checked once, then a plain value. The
// format is told field by field in runtime/cluster/README.md.
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/stream_kind.hpp"
#include "runtime/cluster/limits.hpp"
#include "runtime/cluster/ssh_fields.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace drover {

enum class link_kind : std::uint8_t {
  process, ///< the agent is a child process on this machine
  ssh,     ///< the agent is a command on another machine
};

enum class store_kind : std::uint8_t {
  pmxcfs,  ///< a directory in Proxmox VE's layout: /etc/pve, or a plain one
  lagging, ///< a log shared by the agents of one machine, whose views lag on purpose
  etcd,    ///< an etcd cluster, for hosts without Proxmox VE
};

struct cluster_node {
  node_id node;
  link_kind link = link_kind::process;
  ssh_place place;                 ///< of the link ssh
  std::filesystem::path run_dir;   ///< absolute; this node's alone
  std::uint64_t memory_bytes = 0;  ///< for guests and host
  std::uint64_t reserve_bytes = 0; ///< of it, for the host
  /// Numeric address at which this node takes memory streams.
  std::string migration_address = "127.0.0.1";
  node_limits limits;      ///< the cluster's where the node has none of its own
  delay_range store_lag{}; ///< of a lagging store; the cluster's where the node has none
  /// Of all memory streams together that leave this node; 0 = unlimited.
  std::uint32_t bandwidth_mib_s = 0;
};

struct cluster_storage {
  std::filesystem::path path; ///< absolute
  /// Every node sees the same files; otherwise a VM with a disk there cannot move.
  bool shared = false;
};

struct cluster_file {
  std::string name;
  store_kind store = store_kind::pmxcfs;
  /// Absolute. Of etcd: the file on each node that tells how it is reached.
  std::filesystem::path store_path;
  delay_range store_lag{}; ///< of a lagging store
  std::map<node_id, cluster_node> nodes;
  cluster_limits limits;
  std::map<std::string, cluster_storage> storages;
  std::string accel = "auto"; ///< auto, tcg, kvm
  stream_kind stream = stream_kind::tls;
  std::uint32_t channels = 1; ///< of a memory stream, where both nodes can
  /// drover-agent of process links; empty = beside the running program.
  std::filesystem::path agent;
  link_kind link = link_kind::process;     ///< of nodes that say nothing else
  ssh_settings ssh;                        ///< of the links ssh
  std::string qemu = "qemu-system-x86_64"; ///< a name is searched in PATH
};

/// "pmxcfs", "lagging", "etcd".
std::string_view to_string(store_kind kind);

/// Longest name of a socket in a run directory, and what a socket's path may be long (sun_path).
inline constexpr std::string_view longest_socket_name = "/999999999.serial0";
inline constexpr std::size_t socket_path_max = 107;

/// `origin` names the file in errors; relative paths begin at `directory`. Errors are `invalid`:
/// "lab.json: /nodes/n1/memory: expected ...".
result<cluster_file> parse_cluster_file(
  std::string_view text, const std::string& origin, const std::filesystem::path& directory);

result<cluster_file> read_cluster_file(const std::filesystem::path& path);

} // namespace drover
