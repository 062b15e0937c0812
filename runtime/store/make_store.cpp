#include "runtime/store/make_store.hpp"

#include "runtime/store/etcd_store.hpp"
#include "runtime/store/lagging_store.hpp"
#include "runtime/store/pmxcfs_store.hpp"

namespace drover {

result<std::unique_ptr<store>> make_store(
  const store_spec& spec, post_function post, store_observer observe) {
  const bool lags = spec.kind == "lagging";
  const bool is_etcd = spec.kind == "etcd";
  if (!lags && !is_etcd && spec.kind != "pmxcfs")
    return fail(errc::invalid, "store kind: expected pmxcfs, lagging or etcd", spec.kind);
  if (!lags && spec.lag != delay_range{})
    return fail(errc::invalid, "store lag: only the kind lagging has one", spec.kind);
  if (const auto fault = etcd::fault_of(spec.reached, spec.prefix); is_etcd && fault)
    return fail(errc::invalid, "store " + fault->field + ": " + fault->why, spec.kind);
  if (!is_etcd && spec.directory.empty())
    return fail(errc::invalid, "store directory: must not be empty", spec.kind);
  if (spec.node.value.empty())
    return fail(errc::invalid, "store node: must not be empty", spec.kind);
  if (spec.call_deadline <= milliseconds{0} || spec.lock_expiry <= milliseconds{0})
    return fail(errc::invalid, "store times: must be greater than 0", spec.kind);
  if (lags)
    return std::make_unique<lagging_store>(
      lagging_options{spec.directory, spec.node, spec.lag, spec.lock_expiry}, spec.call_deadline,
      std::move(post), std::move(observe));
  if (is_etcd)
    return std::make_unique<etcd_store>(
      etcd_options{spec.reached, spec.prefix, spec.node, spec.lock_expiry}, spec.call_deadline,
      std::move(post), std::move(observe));
  pmxcfs_options options{spec.directory, spec.node, spec.lock_expiry, std::nullopt};
  return std::make_unique<pmxcfs_store>(
    std::move(options), spec.call_deadline, std::move(post), std::move(observe));
}

} // namespace drover
