// What this node has seen of the cluster: all keys below one prefix at one revision. Rule: pure; it
// never goes back, and it shows whole revisions only.
#pragma once

#include "runtime/store/etcd/etcd_messages.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace drover::etcd {

class mirror {
public:
  /// 0: nothing has been seen yet.
  std::uint64_t revision() const { return revision_; }
  std::optional<key_value> find(const std::string& key) const;
  /// By key, the keys that begin with `prefix`.
  std::map<std::string, key_value> below(const std::string& prefix) const;

  /// All there is; one that is older than what was seen is passed over.
  void replace(const range_answer& all);
  /// What has changed since; what was seen already is passed over.
  void apply(const watch_news& news);

private:
  std::map<std::string, key_value> entries_;
  std::uint64_t revision_ = 0;
};

} // namespace drover::etcd
