// Locks: a key that lives as long as its lease.
#include "runtime/store/etcd/etcd_calls.hpp"
#include "runtime/store/store_checks.hpp"

#include <utility>

namespace drover {
namespace {

constexpr int attempts_max = 3;

tl::unexpected<error> conflict(const std::string& name, const std::string& why) {
  return fail(errc::conflict, why, "lock " + name);
}

} // namespace

result<std::uint64_t> etcd_calls::grant_lease() {
  using std::chrono::seconds;
  const auto ttl_s = std::chrono::ceil<seconds>(options_.lock_expiry).count();
  const auto answer =
    client_.post("/lease/grant", etcd::lease_grant_request(static_cast<std::uint64_t>(ttl_s)));
  if (!answer) // A lease without a key keeps nobody out, and ends by itself.
    return fail(
      is_unknown(answer.error().code) ? errc::retry : answer.error().code, answer.error().what,
      answer.error().context);
  return etcd::parse_lease(*answer);
}

void etcd_calls::revoke_lease(std::uint64_t lease) {
  // Unanswered, the lease ends by itself.
  static_cast<void>(client_.post("/lease/revoke", etcd::lease_request(lease)));
}

/// False: the lease is gone, and its key with it.
result<bool> etcd_calls::renew(const etcd::key_value& held) {
  const auto answer = ask("/lease/keepalive", etcd::lease_request(held.lease));
  if (!answer)
    return tl::unexpected{answer.error()};
  const auto left_s = etcd::parse_keepalive(*answer);
  if (!left_s)
    return tl::unexpected{left_s.error()};
  return *left_s > 0;
}

result<done> etcd_calls::take_lock(const std::string& name, const std::string& holder) {
  if (!is_lock_name(name))
    return fail(errc::invalid, "a lock's name has letters, digits, '-', '_', '.', ':', '@'", name);
  error why{errc::retry, "the lock changes hands all the time", name};
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const auto answer = ask("/kv/range", etcd::range_request(lock_key(name)));
    const auto found = answer ? etcd::parse_range(*answer) : tl::unexpected{answer.error()};
    if (!found)
      return tl::unexpected{found.error()};
    if (!found->entries.empty()) {
      const auto& held = found->entries.front();
      if (held.value != holder)
        return conflict(name, held_by(held.value));
      const auto renewed = renew(held);
      if (!renewed)
        return tl::unexpected{renewed.error()};
      if (*renewed)
        return done{};
      continue;
    }
    const auto lease = grant_lease();
    if (!lease)
      return tl::unexpected{lease.error()};
    auto taken = commit(lock_key(name), [&](const present& there) -> result<etcd::transaction> {
      if (there)
        return conflict(name, held_by(there->value));
      etcd::transaction made;
      made.puts.push_back({lock_key(name), holder, *lease});
      return made;
    });
    if (taken)
      return taken;
    if (!is_unknown(taken.error().code))
      revoke_lease(*lease);
    if (taken.error().code != errc::conflict)
      return taken;
    why = taken.error();
  }
  return tl::unexpected{why};
}

result<done> etcd_calls::drop_lock(const std::string& name, const std::string& holder) {
  std::uint64_t lease = 0;
  auto dropped = commit(lock_key(name), [&](const present& there) -> result<etcd::transaction> {
    if (!there)
      return conflict(name, "nobody holds it");
    if (there->value != holder)
      return conflict(name, held_by(there->value));
    lease = there->lease;
    etcd::transaction made;
    made.removals.push_back(lock_key(name));
    return made;
  });
  if (dropped && lease != 0)
    revoke_lease(lease);
  return dropped;
}

result<std::vector<store_lock>> etcd_calls::read_locks(const std::string& prefix) {
  if (const auto seen = seen_anything(); !seen)
    return tl::unexpected{seen.error()};
  std::vector<store_lock> locks;
  const auto below = lock_key("");
  for (const auto& [key, entry] : watcher_.below(below + prefix))
    locks.push_back({key.substr(below.size()), entry.value});
  return locks;
}

} // namespace drover
