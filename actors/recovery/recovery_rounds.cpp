#include "actors/recovery/recovery_rounds.hpp"

#include "actors/recovery/recovery_rows.hpp"

#include <algorithm>
#include <utility>

namespace drover {
namespace {

/// An agent gives up what it finishes alone after 60 s; a store call may hang for 8 s more.
constexpr nanoseconds patience = std::chrono::seconds{90};
/// An agent at work changes something sooner; one that waits for what never comes does not, and
/// does no harm beside what is done here.
constexpr nanoseconds agent_patience = std::chrono::seconds{5};
/// So long a node that matters may take to answer: the agent of a controller that died leaves its
/// seat after 15 s of silence at the latest, and a link is opened again with growing pauses.
constexpr nanoseconds silence_patience = std::chrono::seconds{40};
constexpr nanoseconds look_pause = std::chrono::milliseconds{200};
/// The longest way to rest is four rounds; some may be spoiled by what the nodes do meanwhile.
constexpr int rounds_max = 8;

bool lacks_a_node(const recovery_case& of) {
  return of.row->verdict == recovery_verdict::needs_operator &&
         (of.seen.source_reach == node_reach::silent || of.seen.target_reach == node_reach::silent);
}

/// A QEMU that starts or ends may be in a state that nobody knows, or not answer for a moment.
bool may_pass(const recovery_case& of) {
  return of.row->verdict == recovery_verdict::needs_operator &&
         (any_strange(of.seen) || runs_at_other(of.seen));
}

} // namespace

recovery_rounds::recovery_rounds(operator_words words, recovery_mode mode, mono_time now)
  : until_(now + patience), heard_until_(now + silence_patience) {
  report_.words = std::move(words);
  report_.mode = mode;
}

void recovery_rounds::stop_waiting_in_vain(recovery_case& of, mono_time now) {
  auto seen = of.seen;
  seen.activity = handover_activity::rests;
  const auto [at, fresh] = looks_.try_emplace(of.vm, look{seen, now});
  if (at->second.seen != seen)
    at->second = look{seen, now};
  if (of.row->verdict != recovery_verdict::wait || now - at->second.since < agent_patience)
    return;
  of.seen = seen;
  of.row = &decide_recovery(seen);
}

bool recovery_rounds::may_still_act(const recovery_case& of) {
  return !of.row->steps.empty() && ++rounds_[of.vm] <= rounds_max;
}

recovery_rounds::next_round recovery_rounds::looked(const node_inspections& seen, mono_time now) {
  next_round next;
  report_.silent = seen.silent;
  report_.last = recovery_cases(seen, report_.words);
  report_.stray_left = stray_marks(seen, report_.words);
  if (!swept_) // What is removed is told, and gone in the next look.
    report_.stray = report_.stray_left;
  report_.idle = idle_vms(seen);
  for (const auto& [node, told] : seen.parts)
    if (!told.litter.empty())
      report_.litter[node].insert(told.litter.begin(), told.litter.end());
  if (const auto why = objection_to(report_.words, seen)) {
    report_.objection = to_string(*why);
    next.over = true;
    return next;
  }
  if (report_.mode == recovery_mode::dry_run) {
    next.over = true;
    return next;
  }
  bool waits = false;
  for (auto& one : report_.last) {
    stop_waiting_in_vain(one, now);
    waits = waits || one.row->verdict == recovery_verdict::wait ||
            (lacks_a_node(one) && now < heard_until_) ||
            (may_pass(one) && now - looks_.at(one.vm).since < agent_patience);
    if (may_still_act(one))
      next.steps.emplace_back(one);
  }
  if (!report_.stray.empty() && !std::exchange(swept_, true))
    for (const auto& [node, vm] : report_.stray)
      next.chores.emplace_back(node, wire::forget_vm{vm});
  const bool busy = waits || !next.steps.empty() || !next.chores.empty();
  next.over = !busy || now >= until_;
  next.pause = look_pause;
  if (next.over) {
    next.steps.clear();
    next.chores.clear();
  }
  return next;
}

void recovery_rounds::carried_out(const std::vector<recovery_steps>& steps) {
  for (const auto& s : steps)
    report_.actions.push_back(
      {s.whose().vm, s.whose().row->verdict, s.whose().reason(), s.done_steps(), s.refused()});
}

int exit_code(const recovery_report& report) {
  if (!report.objection.empty())
    return 1;
  const auto any = [&report](recovery_verdict v) {
    return std::any_of(report.last.begin(), report.last.end(), [v](const recovery_case& c) {
      return c.row->verdict == v;
    });
  };
  const bool unfinished =
    std::any_of(report.last.begin(), report.last.end(), [](const recovery_case& c) {
      return !c.row->steps.empty();
    });
  if (any(recovery_verdict::needs_operator))
    return 6;
  const bool acts = report.mode == recovery_mode::act;
  if (acts && (any(recovery_verdict::wait) || unfinished || !report.stray_left.empty()))
    return 5;
  const bool blind = std::any_of(report.silent.begin(), report.silent.end(), [&](const auto& n) {
    return !report.words.fenced.contains(n.first);
  });
  const bool left = any(recovery_verdict::leave_alone) || (!acts && unfinished);
  return left || blind ? 2 : 0;
}

} // namespace drover
