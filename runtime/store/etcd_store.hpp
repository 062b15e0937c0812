// The store port on an etcd cluster, for hosts without a pmxcfs. Rule: etcd_calls makes the calls,
// queued_store keeps them off the caller's thread.
#pragma once

#include "runtime/store/etcd/etcd_calls.hpp"
#include "runtime/store/queued_store.hpp"

namespace drover {

extern template class queued_store<etcd_calls>;

class etcd_store final : public queued_store<etcd_calls> {
public:
  using queued_store<etcd_calls>::queued_store;
};

} // namespace drover
