// What is said to an etcd by its v3 JSON gateway, and what it answers. Pure. Rule: requests are
// built by these types alone, since the gateway ignores a field that it does not know: a misspelt
// "compare" would be a write without a condition. Keys and values are base64 on the wire and plain
// here; a revision orders all writes of a cluster.
//
// Source: etcd 3.4, `etcdserver/etcdserverpb/rpc.proto`, and its answers as measured: an int64 is a
// string, what is false or 0 is left out ("succeeded" above all), and an error is flat in an answer
// and nested in a stream.
#pragma once

#include "runtime/base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drover::etcd {

struct key_value {
  std::string key;
  std::string value;
  std::uint64_t create_revision = 0;
  std::uint64_t mod_revision = 0;
  std::uint64_t lease = 0; ///< 0: none

  bool operator==(const key_value&) const = default;
};

/// The key was last written at this revision; 0: it does not exist.
struct condition {
  std::string key;
  std::uint64_t mod_revision = 0;
};

struct put {
  std::string key;
  std::string value;
  std::uint64_t lease = 0;
};

/// All or nothing: the writes are made if every condition holds; else the keys of the conditions
/// are read, in their order.
struct transaction {
  std::vector<condition> conditions;
  std::vector<put> puts;
  std::vector<std::string> removals;
};

struct transaction_answer {
  bool succeeded = false;
  std::uint64_t revision = 0;
  /// Where it did not succeed: what stands at each condition's key.
  std::vector<std::optional<key_value>> present;
};

struct range_answer {
  std::uint64_t revision = 0;
  std::vector<key_value> entries;
};

struct change {
  enum class kind : std::uint8_t { written, removed };
  kind what = kind::written;
  key_value entry; ///< of a removed key: the key and the revision of its removal
};

/// One line of a watch.
struct watch_news {
  std::uint64_t revision = 0;
  std::vector<change> changes;
  /// The watch has ended: what it would have told first is compacted away, so all must be read
  /// anew.
  bool is_compacted = false;
};

std::string range_request(const std::string& key);
/// Every key that begins with `prefix`, which is not empty.
std::string prefix_request(const std::string& prefix);
std::string transaction_request(const transaction& made);
std::string lease_grant_request(std::uint64_t ttl_s);
std::string lease_request(std::uint64_t lease);
std::string watch_request(const std::string& prefix, std::uint64_t from_revision);
std::string login_request(const std::string& user, const std::string& password);

result<range_answer> parse_range(const std::string& body);
result<transaction_answer> parse_transaction(const std::string& body);
/// The lease's number.
result<std::uint64_t> parse_lease(const std::string& body);
/// Seconds that the lease has left; 0: it is gone.
result<std::uint64_t> parse_keepalive(const std::string& body);
result<std::string> parse_token(const std::string& body);
/// `lost` with etcd's own words where the line is an error.
result<watch_news> parse_watch(const std::string& line);

/// What an answer that is no success means: `refused` without a leader, `conflict` never; `invalid`
/// where the request is wrong (login, rights, size); `lost` where it may have been carried out.
/// `is_login_over`: a new login mends it.
struct failure {
  error why;
  bool is_login_over = false;
};
failure parse_failure(int http_status, const std::string& body);

} // namespace drover::etcd
