#include "metrics/catalogue.hpp"

#include "runtime/base/check.hpp"
#include "runtime/base/policy.hpp"

#include <array>
#include <cstddef>

namespace drover {
namespace {

/// Dense between 1 and 100 ms, where a pause is meant to be, and up to the seconds that an operator
/// wants to see when it is not.
const std::vector<double> pause_buckets{0.001, 0.002, 0.005, 0.010, 0.020, 0.030, 0.040,
                                        0.050, 0.075, 0.100, 0.150, 0.200, 0.300, 0.500,
                                        0.750, 0.900, 2,     5,     10,    30};

/// Waits for others' migrations: up to the length of a whole evacuation.
const std::vector<double> wait_buckets{0.001, 0.01, 0.1, 0.5, 1,   2,    5,   10,
                                       30,    60,   120, 300, 600, 1800, 3600};

/// One store call: a plain directory answers in microseconds, a pmxcfs that lost a node in 8 s.
const std::vector<double> store_buckets{0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                        0.1,    0.2,    0.5,   1,     2,     5,    10,   30};

std::vector<std::vector<std::string>> results_by_policy() {
  std::vector<std::vector<std::string>> sets;
  for (const auto* result : {"moved", "stayed", "needs_operator"})
    for (const auto how : all_policies)
      sets.push_back({result, std::string{to_string(how)}});
  return sets;
}

std::vector<series> migration_series() {
  using enum series_kind;
  return {
    {series_id::migrations_total,
     "drover_migrations_total",
     counter,
     "migrations",
     "Migrations that ended, by result and handover policy.",
     {"result", "policy"},
     {},
     results_by_policy()},
    {series_id::migrations_in_flight,
     "drover_migrations_in_flight",
     gauge,
     "migrations",
     "Migrations that have not ended, by the phase they are in.",
     {"phase"},
     {},
     {}},
    {series_id::migration_pause_seconds,
     "drover_migration_pause_seconds",
     histogram,
     "seconds",
     "Pause of a migrated VM: blackout is STOP to all state loaded, handover is from there to "
     "RESUME, total is both.",
     {"segment"},
     pause_buckets,
     {{"blackout"}, {"handover"}, {"total"}}},
    {series_id::lock_wait_seconds,
     "drover_lock_wait_seconds",
     histogram,
     "seconds",
     "Wait for a VM's lock, which is granted together with the permits to prepare.",
     {},
     wait_buckets,
     {{}}},
    {series_id::permit_wait_seconds,
     "drover_permit_wait_seconds",
     histogram,
     "seconds",
     "Wait for a set of permits, granted all or nothing.",
     {"set"},
     wait_buckets,
     {{"prepare"}, {"stream"}}},
  };
}

std::vector<series> node_series() {
  using enum series_kind;
  return {
    {series_id::node_vms,
     "drover_node_vms",
     gauge,
     "VMs",
     "VMs that a node owns, as last listed and counted on with every move.",
     {"node"},
     {},
     {}},
    {series_id::evacuation_remaining_vms,
     "drover_evacuation_remaining_vms",
     gauge,
     "VMs",
     "VMs of the running evacuation whose migration has not ended.",
     {"node"},
     {},
     {}},
    {series_id::evacuation_remaining_bytes,
     "drover_evacuation_remaining_bytes",
     gauge,
     "bytes",
     "Guest memory that the running evacuation has still to transfer.",
     {"node"},
     {},
     {}},
    {series_id::transferred_bytes_total,
     "drover_transferred_bytes_total",
     counter,
     "bytes",
     "Bytes of guest memory and state that QEMU streamed from node to node.",
     {},
     {},
     {{}}},
  };
}

std::vector<series> channel_series() {
  using enum series_kind;
  return {
    {series_id::retries_total,
     "drover_retries_total",
     counter,
     "requests",
     "Requests sent again and steps repeated, by method.",
     {"method"},
     {},
     {}},
    {series_id::links_up,
     "drover_links_up",
     gauge,
     "links",
     "1 while the link to a node's agent is up, else 0.",
     {"node"},
     {},
     {}},
    {series_id::store_operations_total,
     "drover_store_operations_total",
     counter,
     "operations",
     "Calls of a node's store driver, failed ones included.",
     {"node", "operation"},
     {},
     {}},
    {series_id::store_operation_seconds,
     "drover_store_operation_seconds",
     histogram,
     "seconds",
     "Duration of one call of a store driver.",
     {"operation"},
     store_buckets,
     {}},
    {series_id::store_barrier_wait_seconds,
     "drover_store_barrier_wait_seconds",
     histogram,
     "seconds",
     "Wait until the target's own view of the store showed the handover record.",
     {},
     store_buckets,
     {{}}},
    {series_id::build_info,
     "drover_build_info",
     gauge,
     "constant",
     "Always 1; the label tells the version.",
     {"version"},
     {},
     {{DROVER_VERSION}}},
  };
}

std::vector<series> in_order() {
  std::vector<series> all;
  for (auto part : {migration_series(), node_series(), channel_series()})
    all.insert(all.end(), part.begin(), part.end());
  for (std::size_t i = 0; i < all.size(); ++i)
    DROVER_CHECK(static_cast<std::size_t>(all[i].id) == i, "the catalogue is ordered by id");
  return all;
}

} // namespace

std::string_view to_string(series_kind kind) {
  constexpr std::array<std::string_view, 3> names{"counter", "gauge", "histogram"};
  return names[static_cast<std::size_t>(kind)];
}

std::span<const series> catalogue() {
  static const auto all = in_order();
  return all;
}

const series& describe(series_id id) { return catalogue()[static_cast<std::size_t>(id)]; }

} // namespace drover
