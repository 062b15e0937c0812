#include "runtime/store/make_store.hpp"

#include "runtime/store/etcd_store.hpp"
#include "runtime/store/lagging_store.hpp"
#include "runtime/store/pmxcfs_store.hpp"

namespace drover {

namespace {

std::string etcd_objection(const store_spec& spec) {
  if (spec.reached.endpoints.empty())
    return "store endpoints: etcd needs at least one, like http://10.0.0.1:2379";
  for (const auto& one : spec.reached.endpoints)
    if (const auto why_not = etcd::endpoint_objection(one); !why_not.empty())
      return "store endpoint: " + why_not;
  if (spec.prefix.size() < 2 || spec.prefix.front() != '/' || spec.prefix.back() == '/')
    return "store prefix: expected one like /drover";
  if (spec.reached.certificate.empty() != spec.reached.key.empty())
    return "store certificate: it and its key go together";
  return {};
}

} // namespace

result<std::unique_ptr<store>> make_store(
  const store_spec& spec, post_function post, store_observer observe) {
  const bool lags = spec.kind == "lagging";
  const bool is_etcd = spec.kind == "etcd";
  if (!lags && !is_etcd && spec.kind != "pmxcfs")
    return fail(errc::invalid, "store kind: expected pmxcfs, lagging or etcd", spec.kind);
  if (!lags && spec.lag != delay_range{})
    return fail(errc::invalid, "store lag: only the kind lagging has one", spec.kind);
  if (const auto why_not = is_etcd ? etcd_objection(spec) : std::string{}; !why_not.empty())
    return fail(errc::invalid, why_not, spec.kind);
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
