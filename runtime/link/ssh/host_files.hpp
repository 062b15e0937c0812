// The files that a login reads, and the one that `drover node trust` writes. Rule: these calls may
// block (a home on a network, /etc/pve), so the loop makes them on a helper thread.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/link/ssh/key_file.hpp"
#include "runtime/link/ssh/known_hosts.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace drover::ssh {

/// A file that is not there knows nobody.
result<std::vector<known_key>> read_known_keys(const std::string& path, const std::string& name);

result<key_file> load_key_file(const std::string& path);

enum class trust : std::uint8_t { added, known_before };

/// Appends the key, and the file if there is none. `conflict` names the line that has another key.
result<trust> add_known_host(
  const std::string& path, const std::string& host, std::uint16_t port, const host_key& key);

} // namespace drover::ssh
