// A private key as it stands in its file. Rule: pure; tells what can be told without the
// passphrase, and refuses early what libssh2 1.10 could not sign with.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/link/ssh/secret.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace drover::ssh {

/// Of OpenSSH's own format, as ssh-keygen writes it since 2014 for ed25519.
struct key_file {
  enum class kind : std::uint8_t { plain, encrypted };

  secret text; ///< the whole file
  std::string path;
  std::string public_type; ///< "ssh-ed25519"
  std::string public_blob; ///< as on the wire
  kind protection = kind::plain;

  /// "ssh-ed25519 AAAA...", the line of an authorized_keys file.
  std::string public_line() const;
};

/// An error names the path and what would be right, and never what the file holds.
result<key_file> read_key_file(secret text, const std::string& path);

/// True for the types that libssh2 1.10 can log in with at a modern sshd.
bool is_usable_key_type(std::string_view type);

} // namespace drover::ssh
