// Which driver stands behind the port, from the words of a cluster file. Rule: everybody but this
// file and the drivers' tests knows the port only.
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/time.hpp"
#include "runtime/store/etcd/etcd_access.hpp"
#include "runtime/store/queued_store.hpp"
#include "runtime/store/store.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace drover {

struct store_spec {
  std::string kind = "pmxcfs";     ///< pmxcfs, lagging, etcd
  std::filesystem::path directory; ///< all but etcd
  node_id node;
  milliseconds call_deadline{10'000};
  milliseconds lock_expiry{120'000};
  delay_range lag{};              ///< lagging only
  etcd::access reached;           ///< etcd only
  std::string prefix = "/drover"; ///< etcd only: of all keys
};

/// `invalid` when the spec cannot be right; touches no file. Answers and `observe` come by `post`,
/// which must only enqueue.
result<std::unique_ptr<store>> make_store(
  const store_spec& spec, post_function post, store_observer observe = {});

} // namespace drover
