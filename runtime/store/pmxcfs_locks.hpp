// Cluster locks as Proxmox has them: a lock is a directory in `priv/lock`, mkdir takes it, touching
// it renews it, rmdir gives it back; who holds it stands in a file of drover's own. Rule: a lock
// has expired when this process has watched it unrenewed for the whole time; no two clocks are
// compared.
//
// On a pmxcfs only the node that made a lock can renew it, and the cluster itself drops an expired
// one when asked by touching it with time zero; each of that is an ordered write. On a plain
// directory the writers' guard makes each of these calls one step.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/time.hpp"
#include "runtime/store/cluster_directory.hpp"
#include "runtime/store/store.hpp"

#include <map>
#include <string>
#include <vector>

namespace drover {

class pmxcfs_locks {
public:
  pmxcfs_locks(cluster_directory directory, node_id node, milliseconds expiry)
    : directory_(std::move(directory)), node_(std::move(node)), expiry_(expiry) {}

  result<done> take(const std::string& name, const std::string& holder);
  result<done> drop(const std::string& name, const std::string& holder);
  result<std::vector<store_lock>> read(const std::string& prefix);

private:
  /// The last renewal that was seen, and when it was first seen.
  struct sighting {
    nanoseconds modified{0};
    mono_time since;
  };

  file_call begin(file_access access, std::string what) const;
  result<done> sign(const file_call& call, const std::string& name, const std::string& holder);
  bool was_made_here(const std::string& name) const;
  result<done> renew(const file_call& call, const std::string& name);
  result<done> evict(const file_call& call, const std::string& name, const std::string& holder);
  result<done> release(const file_call& call, const std::string& name);
  /// Empty when nobody is written down: Proxmox's own lock, or one that is just being taken.
  result<std::string> read_holder(const file_call& call, const std::string& name) const;
  file_calls::outcome<bool> has_expired(const std::string& name);

  cluster_directory directory_;
  node_id node_;
  nanoseconds expiry_;
  std::map<std::string, sighting> sightings_;
};

} // namespace drover
