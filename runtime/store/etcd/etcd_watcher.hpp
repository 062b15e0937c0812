// Keeps a mirror up to date by a watch of its own thread. Rule: readers never wait for the network;
// only who has written waits, until the mirror shows the write. A watch that is silent although
// something was written, or for long, is begun again with the next member: a member that is stopped
// or cut off says nothing and closes nothing.
#pragma once

#include "runtime/store/etcd/etcd_client.hpp"
#include "runtime/store/etcd/etcd_mirror.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace drover::etcd {

class watcher {
public:
  watcher(const access& reached, std::string prefix);
  ~watcher();
  watcher(watcher&&) noexcept;

  /// False when the mirror does not show `revision` by then. 1: when it shows anything.
  bool wait_for(std::uint64_t revision, mono_time until);
  /// Why there is nothing to be seen yet.
  error last_failure() const;

  std::optional<key_value> find(const std::string& key) const;
  std::map<std::string, key_value> below(const std::string& prefix) const;

private:
  struct shared;
  std::shared_ptr<shared> shared_;
};

} // namespace drover::etcd
