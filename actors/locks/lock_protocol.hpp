// The lock manager's interface: what is asked of it, and its handle. Rule: every request is
// answered, also one that is withdrawn; a waiting requester may give up at any time by `release`.
//
//   requester                     lock_manager
//   acquire{number, set} ------->  waits or grants
//            <------- acquired     granted, with the measured wait; or not, with the reason
//   release{number} ------------>  gives back, or withdraws the wait (answered as not granted)
//   (dies) -------------------->   everything it held or waited for is given back
//
// A request may wait for hours, so its CAF timeout can pass before the grant. Who stops waiting
// sends `release` with the same number: it also covers a grant that is already on its way.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/locks/lock_table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drover {

struct acquire {
  /// Chosen by the requester, unused by it before.
  std::uint64_t number = 0;
  lock_priority priority = lock_priority::prepare;
  lock_set wanted;
};

struct acquired {
  std::uint64_t number = 0;
  /// Why it was not granted (`refused` when withdrawn); nothing is held then.
  std::optional<error> objection;
  /// From the request's arrival to this answer, for the trace and the metrics.
  double waited_s = 0;
};

struct release {
  std::uint64_t number = 0;
};

struct set_capacity {
  resource what;
  std::uint32_t capacity = 0;
};

/// Why nothing is granted for a while; several may hold at a time.
enum class grants_hold : std::uint8_t {
  operator_pause,
  /// Whether the lock in the cluster's store is still held is not known.
  lock_in_doubt,
};

/// Nothing is granted while anybody holds; who holds permits keeps them.
struct hold_grants {
  grants_hold why = grants_hold::operator_pause;
};

struct open_grants {
  grants_hold why = grants_hold::operator_pause;
};

struct ask_lock_usage {};

/// For the metrics, and for the check that nothing leaked.
struct lock_usage {
  std::vector<resource_usage> resources;
  std::uint32_t leases = 0;
  std::uint32_t waiting = 0;
};

using lock_manager_handle = iface<
  caf::result<acquired>(acquire), caf::result<void>(release), caf::result<void>(set_capacity),
  caf::result<void>(hold_grants), caf::result<void>(open_grants),
  caf::result<lock_usage>(ask_lock_usage)>;

} // namespace drover

// These travel inside one process only, so they need no serialized form.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::acquire)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::acquired)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::release)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::set_capacity)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::hold_grants)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::open_grants)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::ask_lock_usage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::lock_usage)

CAF_BEGIN_TYPE_ID_BLOCK(drover_locks, first_custom_type_id)
CAF_ADD_TYPE_ID(drover_locks, (drover::acquire))
CAF_ADD_TYPE_ID(drover_locks, (drover::acquired))
CAF_ADD_TYPE_ID(drover_locks, (drover::release))
CAF_ADD_TYPE_ID(drover_locks, (drover::set_capacity))
CAF_ADD_TYPE_ID(drover_locks, (drover::hold_grants))
CAF_ADD_TYPE_ID(drover_locks, (drover::open_grants))
CAF_ADD_TYPE_ID(drover_locks, (drover::ask_lock_usage))
CAF_ADD_TYPE_ID(drover_locks, (drover::lock_usage))
CAF_END_TYPE_ID_BLOCK(drover_locks)

namespace drover {

/// Where the next block of type ids begins.
inline constexpr caf::type_id_t lock_type_ids_end = caf::id_block::drover_locks::end;

} // namespace drover
