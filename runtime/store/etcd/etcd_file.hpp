// The file on a node that tells how its etcd is reached. Rule: what is secret stands in it alone,
// never in a command line, so it has to be private where it holds a password.
//
//   {"endpoints": ["https://10.0.0.1:2379", "https://10.0.0.2:2379"], "prefix": "/drover",
//    "ca": "ca.pem", "certificate": "drover.pem", "key": "drover.key",
//    "user": "drover", "password": "..."}
//
// Only the endpoints are needed. Paths are relative to the file. A client certificate for a cluster
// whose users log in has no CommonName: etcd's gateway refuses one.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/store/etcd/etcd_access.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace drover {

struct etcd_file {
  etcd::access reached;
  std::string prefix = "/drover";
};

/// Errors name the origin and the JSON path. `directory` is where relative paths begin.
result<etcd_file> parse_etcd_file(
  std::string_view text, const std::string& origin, const std::filesystem::path& directory);
result<etcd_file> read_etcd_file(const std::filesystem::path& path);

} // namespace drover
