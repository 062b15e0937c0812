// The part of a cluster file that says how nodes on other machines are logged in to. Rule: values
// only; the link that uses them, and whatever a person or the environment adds, is the program's.
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/wire/json_reader.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace drover {

/// One node's way.
struct ssh_place {
  std::string host; ///< name or numeric address
  std::uint16_t port = 22;
  std::string user = "root";
  std::filesystem::path identity_file; ///< absolute; empty = the keys of the ssh-agent
  /// drover-agent on the node: an absolute path, or a name that is searched in the user's PATH.
  std::string agent = "drover-agent";

  bool operator==(const ssh_place&) const = default;
};

/// What all nodes have in common.
struct ssh_settings {
  ssh_place usual;                   ///< of nodes that say nothing else; its host is empty
  std::filesystem::path known_hosts; ///< absolute
  std::uint32_t logins = 32;         ///< under way at once
  std::uint32_t logins_per_host = 5;
  milliseconds connect_within = std::chrono::seconds(5);
  milliseconds login_within = std::chrono::seconds(20);
  milliseconds beat_every = std::chrono::seconds(2);
  milliseconds beat_within = std::chrono::seconds(6);
};

/// The object `ssh` of the whole file; defaults where there is none.
ssh_settings read_ssh_settings(wire::object_reader& root, const std::filesystem::path& directory);

/// `host`, `port`, `user`, `identity_file`, `agent` of a node whose link is ssh.
ssh_place read_ssh_place(
  wire::object_reader& node, const std::string& name, const ssh_settings& of_cluster,
  const std::filesystem::path& directory);

/// Errors where a node with another link has one of these fields.
void refuse_ssh_fields(wire::object_reader& node);

} // namespace drover
