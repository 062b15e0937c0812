// The pure lock table: VM locks and counted permits, taken as all-or-nothing sets. Rule: it decides
// and counts; who asks, how long they wait and who is dead is the shell's business
// (lock_manager_actor). How waiters are served is told in actors/locks/README.md.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// What can be held. Permits are counted; a VM's lock is exclusive.
enum class resource_kind : std::uint8_t {
  vm,       ///< one VM, capacity 1, needs no set_capacity
  cluster,  ///< migrations in the whole cluster
  outbound, ///< migrations that leave a node
  inbound,  ///< migrations that enter a node
  stream,   ///< memory streams at a node's uplink; a stream takes one at its source and its target
  window,   ///< handovers at the same time, in the whole cluster
};

std::string_view to_string(resource_kind kind);

struct resource {
  resource_kind kind = resource_kind::vm;
  std::string name; ///< VM id or node; empty for what exists once

  auto operator<=>(const resource&) const = default;
};

/// "vm/105", "outbound/n1", "window".
std::string to_string(const resource& what);

inline resource vm_lock(vm_id vm) { return {resource_kind::vm, to_string(vm)}; }
inline resource cluster_permit() { return {resource_kind::cluster, {}}; }
inline resource outbound_permit(const node_id& n) { return {resource_kind::outbound, n.value}; }
inline resource inbound_permit(const node_id& n) { return {resource_kind::inbound, n.value}; }
inline resource stream_permit(const node_id& n) { return {resource_kind::stream, n.value}; }
inline resource window_permit() { return {resource_kind::window, {}}; }

/// What is taken together or not at all, with the count of each.
using lock_set = std::map<resource, std::uint32_t>;

/// Order of service, first to last: what ends a pause never waits behind what begins a migration.
enum class lock_priority : std::uint8_t { window, stream, prepare };

/// Who holds; opaque to the table.
using holder_id = strong_id<struct holder_tag, std::uint64_t>;

/// One set that a holder asked for. The holder numbers its requests, so that it can give back what
/// it has not been told about yet.
struct lease_id {
  holder_id holder;
  std::uint64_t number = 0;

  auto operator<=>(const lease_id&) const = default;
};

/// Why a waiter waits for one of its resources.
struct lock_blocker {
  resource what;
  std::uint32_t needed = 0;
  std::uint32_t capacity = 0;
  std::vector<lease_id> held_by;  ///< leases that hold some of it
  std::vector<lease_id> kept_for; ///< waiters served first, for whom free units are kept

  bool operator==(const lock_blocker&) const = default;
};

struct resource_usage {
  resource what;
  std::uint32_t capacity = 0;
  std::uint32_t used = 0;
  std::uint32_t waiting = 0; ///< requests that wait and name it

  bool operator==(const resource_usage&) const = default;
};

/// Whether the table grants anything.
enum class serving : std::uint8_t { open, held };

class lock_table {
public:
  /// A waiter is passed at most this often by later ones that take what it waits for; then free
  /// units are kept for it. More passes use the permits better, fewer even out the waits.
  static constexpr std::uint32_t passes_max = 8;

  using grants = std::vector<lease_id>;

  /// Sets how much of a permit there is. Lowered below what is held, nothing is taken away: the
  /// next grant waits until enough has come back. Not for VM locks.
  [[nodiscard]] grants set_capacity(const resource& what, std::uint32_t capacity);

  /// Held: whoever asks waits, and what comes back is not handed on; what is held stays held. Open
  /// again: everything that fits is granted.
  [[nodiscard]] grants set_serving(serving s);

  /// Grants now, or lets `id` wait; the answer lists all grants that the step caused. `invalid`: an
  /// empty set, a count of 0, an unknown permit. `refused`: more than the capacity. `conflict`: the
  /// id is in use, or the holder would wait for what it holds itself.
  [[nodiscard]] result<grants> acquire(const lease_id& id, lock_priority priority, lock_set wanted);

  /// Gives back what is held, or withdraws what waits; an unknown id is no error (idempotent).
  [[nodiscard]] grants release(const lease_id& id);

  /// Everything that a dead holder held or waited for.
  [[nodiscard]] grants forget(holder_id holder);

  bool holds(const lease_id& id) const { return held_.contains(id); }
  bool waits(const lease_id& id) const { return places_.contains(id); }
  std::size_t held() const { return held_.size(); }
  std::size_t waiting() const { return waiters_.size(); }

  /// What keeps a waiter from its grant, by resource; empty when it does not wait.
  std::vector<lock_blocker> blockers(const lease_id& id) const;

  /// Every known resource, in order; VM locks only while somebody holds or wants them.
  std::vector<resource_usage> usage() const;

private:
  /// Waiters are served in this order: by class, then first come.
  struct place {
    lock_priority priority = lock_priority::window;
    std::uint64_t arrival = 0;
    auto operator<=>(const place&) const = default;
  };

  struct waiter {
    lease_id id;
    lock_set wanted;
    std::uint32_t passes = 0;
  };

  /// One resource, and those who wait for it. A waiter is watched at one resource that has no room
  /// for it, and is looked at again only when room may have come there.
  struct stock {
    std::uint32_t capacity = 1;
    std::uint32_t used = 0;
    std::uint32_t waiting = 0;
    std::set<place> watched;
    std::set<place> passable;            ///< may still be passed
    std::map<place, std::uint32_t> kept; ///< owed to waiters that were passed too often
  };

  using resources = std::set<resource>;

  std::optional<error> objection(const lease_id& id, const lock_set& wanted) const;
  static bool has_room(const stock& of, std::uint32_t count, const place& at);
  stock* obstacle(const place& at, const lock_set& wanted);
  bool keeps_units(const waiter& w) const;
  void keep(const place& at, const waiter& w, resources& freed);
  void enqueue(const place& at, waiter w, stock& watched_at);
  waiter dequeue(place at);
  void take(const lease_id& id, const lock_set& wanted);
  void give_back(const lease_id& id, resources& freed);
  void withdraw(const lease_id& id, resources& freed);
  void drop_if_unknown(const resource& what);
  void count_pass(const place& winner, const lock_set& taken);
  std::optional<place> next_to_look_at(resources& freed, const place& from) const;
  grants serve(resources freed);

  std::map<resource, stock> stocks_; ///< every permit; VM locks while somebody holds or wants them
  std::map<lease_id, lock_set> held_;
  std::map<place, waiter> waiters_;
  std::map<lease_id, place> places_; ///< of the waiters
  std::uint64_t arrivals_ = 0;
  serving serving_ = serving::open;
};

} // namespace drover
