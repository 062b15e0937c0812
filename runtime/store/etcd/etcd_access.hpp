// How an etcd cluster is reached. Rule: what can be wrong with it is told in one place, for the
// file it is read from and for the driver that is made of it; pure.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace drover::etcd {

struct access {
  std::vector<std::string> endpoints; ///< "https://10.0.0.1:2379", the one to ask first first
  std::filesystem::path ca;           ///< of the members' certificates; empty: the host's own list
  std::filesystem::path certificate;  ///< of this client; empty: none
  std::filesystem::path key;
  std::string user; ///< empty: no login
  std::string password;

  bool operator==(const access&) const = default;
};

struct access_fault {
  std::string field; ///< as it is called in the file: "endpoints", "prefix", ...
  std::string why;
};

/// The first thing that cannot be right. `prefix` stands before every key, like "/drover".
std::optional<access_fault> fault_of(const access& reached, const std::string& prefix);

} // namespace drover::etcd
