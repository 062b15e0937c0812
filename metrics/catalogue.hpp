// Every series that drover exposes, in one place. Rule: names, labels and buckets are written here
// and nowhere else; label values are bounded sets (node, phase, result), never a VM. The table in
// metrics/README.md is compared with this one by tests/metrics. Entries: catalogue_migrations.cpp
// and catalogue_nodes.cpp, in the order of `series_id`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

enum class series_kind : std::uint8_t { counter, gauge, histogram };

std::string_view to_string(series_kind kind);

/// Index of a series in the catalogue.
enum class series_id : std::uint8_t {
  migrations_total,
  migrations_in_flight,
  migration_phase_seconds,
  migration_seconds,
  migration_pause_seconds,
  pause_budget_exceeded_total,
  claim_latency_seconds,
  races_total,
  vms_needing_operator,
  lock_wait_seconds,
  permit_wait_seconds,
  permits_used,
  permits_limit,
  permits_waiting,
  node_vms,
  evacuation_state,
  evacuation_remaining_vms,
  evacuation_remaining_bytes,
  evacuation_eta_seconds,
  evacuation_last_success_timestamp_seconds,
  transferred_bytes_total,
  retries_total,
  link_state,
  link_losses_total,
  command_seconds,
  command_failures_total,
  ownership_conflicts_total,
  store_operations_total,
  store_operation_failures_total,
  store_operation_seconds,
  store_barrier_wait_seconds,
  mailbox_wait_seconds,
  timer_lateness_seconds,
  start_timestamp_seconds,
  build_info,
};

struct series {
  series_id id;
  std::string_view name;
  series_kind kind;
  /// The base unit of the value: seconds, bytes, or what is counted.
  std::string_view unit;
  std::string_view help;
  std::vector<std::string_view> labels;
  /// Upper bounds in seconds, ascending; empty unless a histogram.
  std::vector<double> buckets;
  /// Label sets that exist from the start, so that a rate over them has a first value.
  std::vector<std::vector<std::string>> initial;
};

/// Ordered by `series_id`.
std::span<const series> catalogue();

const series& describe(series_id id);

} // namespace drover
