// T without its controller: what it finishes by the record alone. Its other half, and the rules of
// both, are in agent_orphan.cpp.
#include "runtime/agent/agent.hpp"
#include "runtime/agent/looks.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

using wire::run_state;

/// For so long the pause of a VM is kept short; after it, somebody is missing.
constexpr nanoseconds eager = std::chrono::seconds{5};

} // namespace

task<done> agent::orphan_target(handover_record record) {
  const auto vm = record.vm;
  const auto eager_until = timers_.now() + eager;
  auto pause = look_pause;
  for (;;) {
    const auto ended = co_await end_target(record);
    if (ended || abandoned())
      co_return done{};
    co_await changed(vm, pause);
    if (timers_.now() >= eager_until)
      pause = longer(pause);
  }
  co_return done{};
}

/// T, one look: its QEMU dies with a stream that ends early; one that has loaded everything waits
/// for the source's word in the record, and without it stays paused. Where the epoch is void here
/// although the source has completed, the source is told. True when nothing is left to do.
task<bool> agent::end_target(handover_record record) {
  const auto t = ticket_of(record);
  const auto facts = facts_of(t);
  const bool here = facts.machine != run_state::absent && facts.machine_number == t.number();
  if (facts.marks.run == t.number()) {
    // The run mark says that `cont` may come: who wrote it may have ended before.
    if (here && facts.machine == run_state::incoming)
      co_await let_run_alone(record);
    const auto state = facts_of(t).machine;
    if (here && state == run_state::incoming)
      co_return false;
    if (here)
      co_await settle_target(t);
    co_return true;
  }
  // Never prepared here, or forgotten in a reboot: nothing that this node could say.
  if (!here && proof_of_void(t).number != t.number())
    co_return true;
  const auto seen = co_await store_.view_behind_barrier(t.vm());
  if (!seen || !seen->record)
    co_return false;
  const auto& word = *seen->record;
  const bool over = source_runs(word, t);
  if (over && !here)
    co_return true;
  if (over || facts.stream == stream_phase::ended) {
    auto gone = co_await void_epoch(t);
    if (gone && over)
      gone = co_await end_copy(t);
    // Asking again changes nothing where the guard has refused.
    co_return over && (gone || gone.error().code == errc::refused);
  }
  if (word.number != t.number() || word.outcome != source_outcome::completed)
    co_return false;
  if (!here || facts.marks.voided >= t.number()) {
    const auto gone = co_await void_epoch(t);
    if (gone)
      co_await publish(word, source_outcome::voided);
  } else if (facts.stream == stream_phase::completed) {
    co_await let_run_alone(record);
  }
  co_return false; // Until the record says that it is settled.
}

/// Whatever the policy but `ticket`: nobody moves the config now, or it has been moved; so T claims
/// it first.
task<done> agent::let_run_alone(handover_record record) {
  if (record.how != policy::ticket)
    record.how = policy::claim;
  const auto t = ticket_of(std::move(record));
  auto evidence = facts_of(t);
  const auto gathered = co_await gather_evidence(t, evidence, mono_time::max());
  if (gathered)
    co_await let_run(t, evidence);
  co_return done{};
}

/// T runs: the config comes here, the lock goes, the record is settled, which lets the source go.
task<done> agent::settle_target(ticket t) {
  start_claim(t);
  while (claims_.at(t.vm()).number == t.number() && !claims_.at(t.vm()).end)
    co_await changed(t.vm(), event_pause);
  const auto& claim = claims_.at(t.vm());
  if (claim.number == t.number() && *claim.end)
    co_await settle_alone(t);
  co_return done{};
}

} // namespace drover
