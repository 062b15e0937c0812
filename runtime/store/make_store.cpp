#include "runtime/store/make_store.hpp"

namespace drover {

result<std::unique_ptr<store>> make_store(
  const store_spec& spec, post_function post, store_observer observe) {
  if (spec.kind != "pmxcfs")
    return fail(errc::invalid, "store kind: expected pmxcfs", spec.kind);
  if (spec.directory.empty())
    return fail(errc::invalid, "store directory: must not be empty", spec.kind);
  if (spec.node.value.empty())
    return fail(errc::invalid, "store node: must not be empty", spec.kind);
  if (spec.call_deadline <= milliseconds{0} || spec.lock_expiry <= milliseconds{0})
    return fail(errc::invalid, "store times: must be greater than 0", spec.kind);
  pmxcfs_options options{spec.directory, spec.node, spec.lock_expiry, std::nullopt};
  return std::make_unique<pmxcfs_store>(
    std::move(options), spec.call_deadline, std::move(post), std::move(observe));
}

} // namespace drover
