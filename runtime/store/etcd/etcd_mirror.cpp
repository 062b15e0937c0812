#include "runtime/store/etcd/etcd_mirror.hpp"

#include <algorithm>

namespace drover::etcd {

std::optional<key_value> mirror::find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? std::nullopt : std::optional{found->second};
}

std::map<std::string, key_value> mirror::below(const std::string& prefix) const {
  std::map<std::string, key_value> found;
  for (auto at = entries_.lower_bound(prefix); at != entries_.end(); ++at) {
    if (at->first.compare(0, prefix.size(), prefix) != 0)
      break;
    found.insert(*at);
  }
  return found;
}

void mirror::replace(const range_answer& all) {
  if (all.revision < revision_)
    return;
  entries_.clear();
  for (const auto& entry : all.entries)
    entries_.emplace(entry.key, entry);
  revision_ = all.revision;
}

void mirror::apply(const watch_news& news) {
  for (const auto& one : news.changes) {
    if (one.entry.mod_revision <= revision_)
      continue;
    if (one.what == change::kind::removed)
      entries_.erase(one.entry.key);
    else
      entries_[one.entry.key] = one.entry;
  }
  for (const auto& one : news.changes)
    revision_ = std::max(revision_, one.entry.mod_revision);
}

} // namespace drover::etcd
