// The store port on a cluster directory: a mounted pmxcfs or a plain one. Rule: pmxcfs_files makes
// the calls, queued_store keeps them off the caller's thread.
#pragma once

#include "runtime/store/pmxcfs_files.hpp"
#include "runtime/store/queued_store.hpp"

namespace drover {

extern template class queued_store<pmxcfs_files>;

class pmxcfs_store final : public queued_store<pmxcfs_files> {
public:
  using queued_store<pmxcfs_files>::queued_store;
};

} // namespace drover
