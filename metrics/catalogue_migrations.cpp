#include "metrics/catalogue_parts.hpp"

#include "runtime/base/policy.hpp"

#include <array>
#include <string_view>

namespace drover {
namespace {

/// The machine of actors/handover has these; tests/metrics compares.
constexpr std::array<std::string_view, 11> phases{
  "waiting",     "beginning", "receiving", "queued",  "streaming", "moving_config",
  "taking_over", "claiming",  "cleaning",  "voiding", "reverting"};

std::vector<std::string_view> policy_words() {
  std::vector<std::string_view> words;
  for (const auto how : all_policies)
    words.push_back(to_string(how));
  return words;
}

template <class Words>
std::vector<std::vector<std::string>> each(const Words& words) {
  std::vector<std::vector<std::string>> sets;
  for (const auto word : words)
    sets.push_back({std::string{word}});
  return sets;
}

std::vector<std::vector<std::string>> races() {
  std::vector<std::vector<std::string>> sets;
  for (const auto how : policy_words())
    for (const auto* end : {"averted", "unchecked", "refused"})
      sets.push_back({std::string{how}, end});
  return sets;
}

} // namespace

std::vector<series> migration_series() {
  using enum series_kind;
  return {
    {series_id::migrations_total,
     "drover_migrations_total",
     counter,
     "migrations",
     "Migrations that ended, by result, handover policy, source and target.",
     {"result", "policy", "source", "target"},
     {},
     {}},
    {series_id::migrations_in_flight,
     "drover_migrations_in_flight",
     gauge,
     "migrations",
     "Migrations that have not ended, by the phase they are in.",
     {"phase"},
     {},
     each(phases)},
    {series_id::migration_phase_seconds,
     "drover_migration_phase_seconds",
     histogram,
     "seconds",
     "Time that a migration spent in a phase.",
     {"phase"},
     wait_buckets,
     each(phases)},
    {series_id::migration_seconds,
     "drover_migration_seconds",
     histogram,
     "seconds",
     "Time from the first request for permits to the end of a migration.",
     {"result"},
     wait_buckets,
     {{"moved"}}},
    {series_id::migration_pause_seconds,
     "drover_migration_pause_seconds",
     histogram,
     "seconds",
     "Pause of a migrated VM: blackout is STOP to all state loaded, handover is from there to "
     "RESUME, total is both.",
     {"segment", "policy"},
     pause_buckets,
     {{"blackout", "ticket"}, {"handover", "ticket"}, {"total", "ticket"}}},
    {series_id::pause_budget_exceeded_total,
     "drover_pause_budget_exceeded_total",
     counter,
     "migrations",
     "Migrations whose whole pause was longer than the VM's downtime budget.",
     {"policy"},
     {},
     each(policy_words())},
    {series_id::claim_latency_seconds,
     "drover_claim_latency_seconds",
     histogram,
     "seconds",
     "Time from RESUME until the target owned the VM's config; 0 where it owned it before.",
     {},
     store_buckets,
     {{}}},
    {series_id::races_total,
     "drover_races_total",
     counter,
     "migrations",
     "Resumes that came before the store showed the VM at the target: averted by the ticket, "
     "unchecked, or refused so that the VM hung.",
     {"policy", "end"},
     {},
     races()},
    {series_id::vms_needing_operator,
     "drover_vms_needing_operator",
     gauge,
     "VMs",
     "VMs whose last migration ended without knowing where they run or who owns them.",
     {},
     {},
     {{}}},
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
    {series_id::permits_used,
     "drover_permits_used",
     gauge,
     "permits",
     "Permits that are held, by scope; node is empty for what the whole cluster shares.",
     {"scope", "node"},
     {},
     {}},
    {series_id::permits_limit,
     "drover_permits_limit",
     gauge,
     "permits",
     "Permits that there are, by scope; node is empty for what the whole cluster shares.",
     {"scope", "node"},
     {},
     {}},
    {series_id::permits_waiting,
     "drover_permits_waiting",
     gauge,
     "requests",
     "Requests that wait and name a permit of this scope.",
     {"scope", "node"},
     {},
     {}},
  };
}

} // namespace drover
