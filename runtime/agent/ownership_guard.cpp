#include "runtime/agent/ownership_guard.hpp"

#include "runtime/base/check.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace drover {
namespace {

using wire::run_state;

using check = result<done> (*)(const ticket&, const guard_facts&);

result<done> no(std::string why) { return fail(errc::refused, std::move(why)); }

std::string owner_of(const guard_facts& f) {
  return f.view && f.view->owner ? f.view->owner->value : "nobody";
}

result<done> fresh(const ticket& t, const guard_facts& f) {
  auto known = f.marks.highest();
  if (f.view && f.view->record)
    known = std::max(known, f.view->record->number);
  if (t.number() < known)
    return no(
      "epoch " + to_string(t.number()) + " is over: epoch " + to_string(known) + " is known here");
  return done{};
}

result<done> not_void(const ticket& t, const guard_facts& f) {
  if (f.marks.voided >= t.number())
    return no("epoch " + to_string(t.number()) + " was declared void here");
  return done{};
}

result<done> not_run(const ticket& t, const guard_facts& f) {
  if (f.marks.run >= t.number())
    return no("too late: it was let run here under epoch " + to_string(f.marks.run));
  return done{};
}

result<done> owner_here(const ticket&, const guard_facts& f) {
  if (!f.view || f.view->owner != f.here)
    return no(
      "config not visible here yet: the view of " + f.here.value + " shows " + owner_of(f) +
      " as owner");
  return done{};
}

result<done> owner_source_or_none(const ticket& t, const guard_facts& f) {
  if (!f.view || (f.view->owner && *f.view->owner != t.source()))
    return no("it belongs to " + owner_of(f) + ", not to the source " + t.source().value);
  return done{};
}

result<done> owner_target(const ticket& t, const guard_facts& f) {
  if (!f.view || f.view->owner != t.target())
    return no(
      "the target does not own it yet: the view of " + f.here.value + " shows " + owner_of(f) +
      " as owner");
  return done{};
}

/// Under `early` the config has left the source before the stream starts.
result<done> owner_before_stream(const ticket& t, const guard_facts& f) {
  return t.how() == policy::early ? owner_target(t, f) : owner_here(t, f);
}

result<done> record_moving(const ticket& t, const guard_facts& f) {
  if (
    !f.view || !f.view->record || f.view->record->number != t.number() ||
    f.view->record->state != record_state::moving || f.view->record->target != t.target())
    return no("the store has no handover under way for " + to_string(t));
  return done{};
}

/// Loaded and waiting, or let run under this very epoch already: the command was repeated.
result<done> loaded(const ticket& t, const guard_facts& f) {
  const bool repeated = f.marks.run == t.number();
  if (
    f.machine == run_state::absent || f.machine_number != t.number() ||
    (f.stream != stream_phase::completed && !repeated))
    return no("no QEMU here has loaded " + to_string(t));
  return done{};
}

/// The race: the resume is here, the move is not. The only refusal that time alone heals.
result<done> visible_here(const ticket& t, const guard_facts& f) {
  auto seen = owner_here(t, f);
  if (!seen)
    seen.error().code = errc::conflict;
  return seen;
}

result<done> evidence(const ticket& t, const guard_facts& f) {
  switch (t.how()) {
  case policy::check:
  case policy::lock:
    return visible_here(t, f);
  case policy::nocheck:
    return done{};
  case policy::early:
    if (f.marks.owned != t.number())
      return no(
        "the own view did not show " + f.here.value + " as owner under epoch " +
        to_string(t.number()) + " before the switchover");
    return done{};
  case policy::claim:
    if (!f.claimed)
      return no("the config could not be claimed");
    return done{};
  case policy::ticket:
    if (f.marks.barrier != t.number())
      return no(
        "the record of epoch " + to_string(t.number()) +
        " was not seen here before the switchover");
    return done{};
  }
  return no("unknown policy");
}

result<done> run_or_claim(const ticket& t, const guard_facts& f) {
  if (f.marks.run == t.number())
    return done{};
  if (t.how() != policy::claim)
    return no("it was not let run here under epoch " + to_string(t.number()));
  return loaded(t, f);
}

result<done> moved_by_source(const ticket& t, const guard_facts&) {
  if (target_moves_config(t.how()))
    return no(
      "under the policy " + std::string{to_string(t.how())} + " the target moves the config");
  return done{};
}

bool is_postmigrate(const ticket& t, const guard_facts& f) {
  return f.machine == run_state::postmigrate && f.machine_number == t.number();
}

result<done> postmigrate(const ticket& t, const guard_facts& f) {
  if (!is_postmigrate(t, f))
    return no("its QEMU here has not completed epoch " + to_string(t.number()));
  return done{};
}

bool runs_here(const guard_facts& f) {
  return f.machine == run_state::running || f.machine == run_state::paused;
}

/// The move stands on one side of the switchover, never beside a stream: its other side is where
/// nobody could say who has to move it back.
result<done> movable(const ticket& t, const guard_facts& f) {
  if (t.how() != policy::early)
    return postmigrate(t, f);
  if (!runs_here(f) || f.stream != stream_phase::none)
    return no("its QEMU here does not wait for the stream of epoch " + to_string(t.number()));
  return done{};
}

result<done> postmigrate_or_gone(const ticket& t, const guard_facts& f) {
  return f.machine == run_state::absent ? done{} : postmigrate(t, f);
}

result<done> postmigrate_or_running(const ticket& t, const guard_facts& f) {
  return runs_here(f) ? done{} : postmigrate(t, f);
}

result<done> proven_void(const ticket& t, const guard_facts& f) {
  if (f.assurance)
    return done{};
  if (!f.proof || f.proof->number != t.number() || f.proof->run_mark >= t.number())
    return no("no proof that the target did not run epoch " + to_string(t.number()));
  if (f.marks.streamed != t.number() || f.proof->boot_id != f.marks.target_boot_id)
    return no(
      "the proof is not of the boot of " + t.target().value + " that epoch " +
      to_string(t.number()) + " was streamed to");
  return done{};
}

result<done> source_runs_on(const ticket& t, const guard_facts& f) {
  if (f.here != t.source())
    return done{};
  if (is_postmigrate(t, f))
    return no(
      "its QEMU here has completed epoch " + to_string(t.number()) + " and was not continued");
  if (f.stream == stream_phase::running)
    return no("its stream of epoch " + to_string(t.number()) + " is under way");
  return done{};
}

result<done> keeps_running(const ticket& t, const guard_facts& f) {
  if (!runs_here(f))
    return no("its QEMU does not run here");
  return source_runs_on(t, f);
}

/// The run mark alone says that `cont` may come, not that it came.
result<done> target_runs(const ticket& t, const guard_facts& f) {
  if (f.here != t.target())
    return done{};
  if (f.marks.run != t.number())
    return no("it was not let run here under epoch " + to_string(t.number()));
  return runs_here(f) ? done{} : no("its QEMU does not run here");
}

/// A copy that waits for what will not come.
result<done> waits_in_vain(const ticket& t, const guard_facts& f) {
  if (f.here == t.source())
    return postmigrate_or_gone(t, f);
  if (auto never = not_run(t, f); !never)
    return never;
  return runs_here(f) ? no("its QEMU runs here") : done{};
}

result<done> gone_here(const ticket&, const guard_facts& f) {
  return f.machine == run_state::absent ? done{} : no("its QEMU is here");
}

enum class place : std::uint8_t { owner, source, target, either };

struct row {
  operation what;
  place at;
  std::vector<check> checks;
};

/// The table of the header, line by line.
const std::vector<row>& table() {
  static const std::vector<row> rows{
    {operation::start, place::owner, {}},
    {operation::stop, place::owner, {}},
    {operation::begin, place::owner, {}},
    {operation::receive, place::target, {fresh, not_void, not_run, owner_source_or_none}},
    {operation::stream, place::source, {fresh, not_void, owner_before_stream, record_moving}},
    {operation::tune, place::source, {fresh}},
    {operation::cancel, place::source, {fresh}},
    {operation::move, place::source, {fresh, not_void, moved_by_source, movable}},
    {operation::resume, place::target, {fresh, not_void, loaded, evidence}},
    {operation::claim, place::target, {fresh, not_void, run_or_claim}},
    {operation::void_epoch, place::target, {fresh, not_run}},
    {operation::continue_source, place::source, {fresh, proven_void, postmigrate_or_running}},
    {operation::revert, place::source, {fresh, keeps_running}},
    {operation::release, place::source, {fresh, owner_target, postmigrate_or_gone}},
    {operation::settle, place::either, {fresh, owner_here, source_runs_on, target_runs}},
    {operation::discard, place::either, {fresh, waits_in_vain}},
    {operation::close, place::either, {fresh, owner_here, gone_here}},
  };
  return rows;
}

result<done> judge_owned(const row& r, const guard_facts& facts) {
  if (r.at != place::owner)
    return no(std::string{to_string(r.what)} + " needs a ticket");
  if (!facts.view || facts.view->owner != facts.here)
    return no("it belongs to " + owner_of(facts) + ", not to " + facts.here.value);
  return done{};
}

result<done> judge_ticket(const row& r, const ticket& t, const guard_facts& facts) {
  if (r.at == place::owner)
    return no("a ticket gives no right to " + std::string{to_string(r.what)} + " a VM");
  const bool source = facts.here == t.source() && r.at != place::target;
  const bool target = facts.here == t.target() && r.at != place::source;
  if (!source && !target)
    return fail(
      errc::invalid, "the ticket " + to_string(t) + " does not let " + facts.here.value + " " +
                       std::string{to_string(r.what)} + " it");
  for (const auto& check_one : r.checks)
    if (auto verdict = check_one(t, facts); !verdict)
      return verdict;
  return done{};
}

} // namespace

std::string_view to_string(operation o) {
  static constexpr std::array<std::string_view, all_operations.size()> names{
    "start", "stop", "begin",    "receive", "stream",  "tune",   "cancel",  "move", "resume",
    "claim", "void", "continue", "revert",  "release", "settle", "discard", "close"};
  return names.at(static_cast<std::size_t>(o));
}

result<done> judge(operation what, const authority& by, const guard_facts& facts) {
  const auto found =
    std::find_if(table().begin(), table().end(), [what](const row& r) { return r.what == what; });
  DROVER_CHECK(found != table().end(), "every operation has a row");
  if (const auto* t = std::get_if<ticket>(&by))
    return judge_ticket(*found, *t, facts);
  return judge_owned(*found, facts);
}

} // namespace drover
