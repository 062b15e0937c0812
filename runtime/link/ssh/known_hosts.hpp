// OpenSSH's known_hosts as values: which keys a file names for a host, and whether the key that a
// host shows is one of them. Rule: pure; nothing is trusted because it is new. Picture of a line:
//
//   [@marker] name[,name...] type base64 [comment]      name: host, [host]:port, *.wild, !not
//   [@marker] |1|salt|hash type base64 [comment]        one hashed name
#pragma once

#include "runtime/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::ssh {

/// A host's public key.
struct host_key {
  std::string type;        ///< "ssh-ed25519"
  std::string blob;        ///< as on the wire
  std::string fingerprint; ///< "SHA256:..." as `ssh-keygen -l` prints it

  bool operator==(const host_key&) const = default;
};

/// A line of known_hosts that is about the host in question.
struct known_key {
  std::size_t line; ///< from 1
  std::string type;
  std::string blob_base64;
  bool revoked = false;

  bool operator==(const known_key&) const = default;
};

/// "host" for port 22, else "[host]:port"; in lower case.
std::string known_hosts_name(std::string_view host, std::uint16_t port);

/// True when the hashed name "|1|salt|hash" stands for `name`.
using hashed_name_test = std::function<bool(std::string_view hashed, const std::string& name)>;

/// Lines that cannot be read are passed over, as ssh does.
std::vector<known_key> known_keys_of(
  std::string_view file, const std::string& name, const hashed_name_test& is_hash_of);

/// What to ask the host for: the types that are known and can be checked, the best first; all that
/// can be checked when none is. A host with several keys would else show one that is not known.
std::string host_key_types_to_ask(const std::vector<known_key>& known);

/// Who it is about, for the errors.
struct host_names {
  std::string node;
  std::string name; ///< of known_hosts_name
  std::string known_hosts_path;
};

/// An error tells what to do.
result<done> check_host_key(
  const std::vector<known_key>& known, const host_key& shown, const host_names& who);

/// A line to append, with its line break.
std::string known_hosts_line(const std::string& name, const host_key& key);

/// Types that libssh2 1.10 can check with modern servers; its ssh-rsa means SHA-1.
inline constexpr std::string_view host_key_types =
  "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521";

} // namespace drover::ssh
