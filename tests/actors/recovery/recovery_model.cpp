#include "tests/actors/recovery/recovery_model.hpp"

#include <array>
#include <initializer_list>

namespace drover::testing {
namespace {

using copy = copy_state;
using mark = target_mark;
using word = record_word;
using reach = node_reach;

bool answers(reach r) { return r == reach::answers; }
bool waits(const situation& s) { return s.target == copy::waits || s.target == copy::loaded; }
bool source_sends(const situation& s) {
  return s.source == copy::runs || s.source == copy::streams;
}
bool open(const situation& s) { return s.record >= word::open; }

truth changed(truth t, const std::function<void(situation&)>& change) {
  change(t.real);
  return t;
}

bool may_run_at_target(const situation& s) {
  if (s.mark == mark::ran)
    return waits(s);
  return s.target == copy::loaded && s.mark == mark::prepared;
}

/// A settling writes the record and takes drover's own lock away.
void settle(situation& s, word w) {
  s.record = w;
  if (s.lock == config_lock::migrate)
    s.lock = config_lock::none;
}

void fence_target(situation& s) {
  if (s.mark == mark::prepared)
    s.mark = mark::voided;
}

std::vector<truth> canceled(const truth& t) {
  const auto& s = t.real;
  if (s.source != copy::streams)
    return {t};
  std::vector<truth> ends{changed(t, [](situation& x) { x.source = copy::runs; })};
  if (waits(s))
    ends.push_back(changed(t, [](situation& x) {
      x.source = copy::complete;
      x.target = copy::loaded;
    }));
  return ends;
}

std::vector<truth> voided(const truth& t) {
  const auto& s = t.real;
  if (s.mark == mark::ran || s.target == copy::runs)
    return {};
  return {changed(t, [](situation& x) {
    fence_target(x);
    const bool over = x.record == word::settled_at_source || x.record == word::open_kept;
    if (x.target == copy::waits || (x.target == copy::loaded && over))
      x.target = copy::absent;
  })};
}

std::vector<truth> taken_over(const truth& t) {
  const auto& s = t.real;
  if (s.target == copy::runs && s.mark == mark::ran)
    return {t};
  if (!may_run_at_target(s) || open(s) == false)
    return {};
  return {changed(t, [](situation& x) {
    x.mark = mark::ran;
    x.target = copy::runs;
  })};
}

std::vector<truth> claimed(const truth& t) {
  const auto& s = t.real;
  const bool near = s.place == config_place::source || s.place == config_place::target;
  if (s.mark != mark::ran || !near)
    return {};
  return {changed(t, [](situation& x) { x.place = config_place::target; })};
}

std::vector<truth> settled_at_target(const truth& t) {
  if (t.real.target != copy::runs || claimed(t).empty())
    return {};
  return {changed(t, [](situation& x) {
    x.place = config_place::target;
    settle(x, word::settled_at_target);
  })};
}

std::vector<truth> released(const truth& t) {
  const auto& s = t.real;
  const bool mine = s.source == copy::complete || s.source == copy::absent;
  if (!mine || s.place != config_place::target)
    return {};
  return {changed(t, [](situation& x) { x.source = copy::absent; })};
}

std::vector<truth> continued(const truth& t) {
  const auto& s = t.real;
  const bool proven = s.mark == mark::voided || s.record == word::open_voided;
  const bool assured = s.word == operator_word::never_ran || t.ended_target_copy;
  if (s.source != copy::complete || !(proven || assured))
    return {};
  return {changed(t, [](situation& x) {
    x.source = copy::runs;
    if (x.place == config_place::target)
      x.place = config_place::source;
  })};
}

std::vector<truth> settled_at_source(const truth& t) {
  const auto& s = t.real;
  const bool back = s.source == copy::runs && s.place == config_place::target;
  if (s.source != copy::runs && s.source != copy::absent)
    return {};
  if (s.place != config_place::source && !back)
    return {};
  return {changed(t, [](situation& x) {
    x.place = config_place::source;
    settle(x, word::settled_at_source);
  })};
}

std::vector<truth> target_copy_ended(truth t) {
  if (t.real.target == copy::runs)
    return {};
  fence_target(t.real);
  if (waits(t.real))
    t.real.target = copy::absent;
  t.ended_target_copy = true;
  return {t};
}

std::vector<truth> source_copy_ended(const truth& t) {
  if (t.real.source != copy::complete && t.real.source != copy::absent)
    return {};
  return {changed(t, [](situation& x) { x.source = copy::absent; })};
}

std::vector<truth> closed_at_target(const truth& t) {
  if (t.real.target != copy::absent || t.real.place != config_place::target)
    return {};
  return {changed(t, [](situation& x) { settle(x, word::settled_at_target); })};
}

} // namespace

situation seen_of(const truth& of) {
  auto s = of.real;
  if (!answers(s.source_reach))
    s.source = copy::unseen;
  if (!answers(s.target_reach)) {
    s.target = copy::unseen;
    s.mark = mark::forgotten;
  }
  return s;
}

int running_copies(const truth& of) {
  const auto& s = of.real;
  const bool other = s.other == other_copy::runs || s.other == other_copy::runs_astray;
  return int{source_sends(s)} + int{s.target == copy::runs} + int{other};
}

bool is_possible(const truth& of) {
  const auto& s = of.real;
  // Somebody has started it by hand on a third node; nothing is done then, whatever is possible.
  const bool started_by_hand = s.other == other_copy::runs || s.other == other_copy::runs_astray;
  const bool dead_source = s.source_reach == reach::fenced;
  const bool dead_target = s.target_reach == reach::fenced;
  const bool gone_target = s.target == copy::absent;
  return running_copies(of) <= 1 && !(open(s) && started_by_hand) &&
         !(dead_source && s.source != copy::absent) &&
         !(dead_target && (!gone_target || s.mark != mark::forgotten)) &&
         !(s.target == copy::runs && s.mark != mark::ran) &&
         !(source_sends(s) && s.mark == mark::ran && !gone_target) &&
         !(s.source == copy::streams && (s.mark == mark::ran || !open(s))) &&
         !(s.record == word::open_completed && source_sends(s) && s.mark != mark::voided &&
           !gone_target) &&
         !(s.record == word::open_completed && s.source == copy::streams) &&
         !(s.record == word::open_voided && s.mark == mark::ran) &&
         !(s.record == word::open_voided && s.mark != mark::voided && !gone_target) &&
         !(s.record == word::open_kept && (s.mark == mark::ran || s.source == copy::complete)) &&
         !(s.record == word::settled_at_source &&
           (s.mark == mark::ran || s.source == copy::complete)) &&
         !(s.record == word::settled_at_target &&
           (waits(s) || s.mark == mark::voided || s.mark == mark::prepared)) &&
         !(s.record == word::none && (s.source == copy::complete || !gone_target)) &&
         // What an operator says is true.
         !(s.word == operator_word::never_ran && s.mark == mark::ran && s.target == copy::runs);
}

std::vector<truth> after_step(const truth& of, recovery_step step) {
  const auto& s = of.real;
  if (!answers(is_at_target(step) ? s.target_reach : s.source_reach))
    return {};
  switch (step) {
  case recovery_step::cancel_stream:
    return canceled(of);
  case recovery_step::void_target:
    return voided(of);
  case recovery_step::take_over:
    return taken_over(of);
  case recovery_step::claim:
    return claimed(of);
  case recovery_step::settle_target:
    return settled_at_target(of);
  case recovery_step::release_source:
    return released(of);
  case recovery_step::continue_source:
    return continued(of);
  case recovery_step::settle_source:
    return settled_at_source(of);
  case recovery_step::end_source_copy:
    return source_copy_ended(of);
  case recovery_step::end_target_copy:
    return target_copy_ended(of);
  case recovery_step::close_at_target:
    return closed_at_target(of);
  }
  return {};
}

std::vector<truth> what_may_happen(const truth& of) {
  const auto& s = of.real;
  std::vector<truth> all;
  if (s.source == copy::streams)
    for (auto& t : canceled(of))
      all.push_back(t);
  // A command that was on its way: it was sent when both had completed.
  const bool was_complete =
    s.source == copy::complete || s.source == copy::absent || s.record == word::open_completed;
  if (open(s) && s.target_reach != reach::fenced && may_run_at_target(s) && was_complete)
    all.push_back(changed(of, [](situation& x) {
      x.mark = mark::ran;
      x.target = copy::runs;
    }));
  // S's agent, or a late command with T's proof.
  const bool proven = s.mark == mark::voided || s.record == word::open_voided;
  if (s.source == copy::complete && open(s) && proven)
    all.push_back(changed(of, [](situation& x) { x.source = copy::runs; }));
  if (s.record == word::settled_at_source && waits(s) && s.mark != mark::ran)
    all.push_back(changed(of, [](situation& x) { x.target = copy::absent; }));
  const bool released_alone = s.record == word::settled_at_target &&
                              s.place == config_place::target && s.source == copy::complete;
  if (released_alone)
    all.push_back(changed(of, [](situation& x) { x.source = copy::absent; }));
  return all;
}

void for_every_truth(const std::function<void(const truth&)>& each) {
  const std::initializer_list<reach> reaches{reach::answers, reach::silent, reach::fenced};
  std::vector<situation> all{situation{}};
  const auto spread = [&all](const auto& values, auto situation::*field) {
    std::vector<situation> wider;
    for (const auto& one : all)
      for (const auto value : values) {
        wider.push_back(one);
        wider.back().*field = value;
      }
    all = std::move(wider);
  };
  spread(
    std::array{
      word::none, word::settled_at_source, word::settled_at_target, word::open,
      word::open_completed, word::open_kept, word::open_voided},
    &situation::record);
  spread(
    std::array{
      config_place::source, config_place::target, config_place::elsewhere, config_place::nowhere},
    &situation::place);
  spread(reaches, &situation::source_reach);
  spread(reaches, &situation::target_reach);
  spread(
    std::array{copy::absent, copy::runs, copy::streams, copy::complete, copy::strange},
    &situation::source);
  spread(
    std::array{copy::absent, copy::waits, copy::loaded, copy::runs, copy::strange},
    &situation::target);
  spread(std::array{mark::forgotten, mark::prepared, mark::ran, mark::voided}, &situation::mark);
  spread(
    std::array{other_copy::none, other_copy::waits, other_copy::runs, other_copy::runs_astray},
    &situation::other);
  spread(
    std::array{config_lock::none, config_lock::migrate, config_lock::foreign}, &situation::lock);
  spread(
    std::array{operator_word::none, operator_word::never_ran, operator_word::ran},
    &situation::word);
  for (const auto& one : all)
    each(truth{one});
}

} // namespace drover::testing
