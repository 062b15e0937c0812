// Two nodes and a store as the handover machine sees them: what each step changes, and what it
// refuses. Rule: keeps the agents' word and nothing better; a fault is an error that says nothing
// about whether the step was carried out; two running copies are written down at once.
#pragma once

#include "actors/handover/handover.hpp"
#include "tests/actors/handover/handover_rig.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace drover::testing {

class scripted_world {
public:
  /// What befalls one step.
  struct fault {
    step at = step::begin;
    errc code = errc::lost;
    bool applied = false;
    int times = 1;
  };

  scripted_world(policy how, std::optional<fault> planned)
    : how_(how), planned_(planned),
      machine_(migration_order{vm_id{105}, node_id{"n1"}, node_id{"n2"}, how, "test", 1 << 21, 3}) {
  }

  /// Somebody cancels when `at` is asked for.
  std::optional<step> cancel_at;

  void run() {
    give(handover::begin{});
    for (int i = 0; i < 2000 && !ending && serve_one(); ++i) {
    }
  }

  std::optional<migration_result> ending;
  std::vector<std::string> violations;
  std::vector<race_met> races;
  std::vector<step> log;
  bool source_runs = true;
  bool source_gone = false;
  bool target_runs = false;
  bool target_waits = false;
  bool settled = true;
  bool locked = false;
  bool at_target = false; ///< the config
  /// The target's own view does not show the move when it is told to resume.
  bool view_lags = false;

private:
  using reply = result<wire::reply_body>;

  void give(const handover::event& e) {
    now_ += milliseconds{1};
    for (auto& c : machine_.handle(e, now_)) {
      if (auto* p = std::get_if<handover::take_permits>(&c))
        granted_.push_back(p->set);
      else if (auto* s = std::get_if<handover::send>(&c))
        ask(std::move(*s));
      else if (auto* w = std::get_if<handover::wait>(&c))
        timers_.push_back(w->generation);
      else if (std::holds_alternative<handover::write_ahead>(c))
        give(handover::written_ahead{});
      else if (auto* f = std::get_if<handover::finish>(&c))
        ending = std::move(f->result);
      else if (auto* n = std::get_if<handover::note>(&c))
        if (const auto* race = std::get_if<race_met>(&n->body))
          races.push_back(*race);
    }
  }

  void ask(handover::send s) {
    if (cancel_at == s.what)
      cancel_due_ = true;
    asked_.push_back(std::move(s));
  }

  bool serve_one() {
    if (std::exchange(cancel_due_, false)) {
      cancel_at.reset();
      give(handover::cancel_asked{"test"});
      return true;
    }
    if (!granted_.empty()) {
      const auto set = granted_.front();
      granted_.pop_front();
      give(handover::permits_granted{set, 0});
      return true;
    }
    for (auto s = asked_.begin(); s != asked_.end(); ++s)
      if (auto body = answer(s->what)) {
        const auto what = s->what;
        const auto attempt = s->attempt;
        asked_.erase(s);
        log.push_back(what);
        if (source_runs && target_runs)
          violations.emplace_back("both run");
        give(handover::answered{what, std::move(*body), attempt});
        return true;
      }
    if (timers_.empty())
      return false;
    const auto generation = timers_.front();
    timers_.pop_front();
    give(handover::timer_fired{generation});
    return true;
  }

  /// nullopt: not yet.
  std::optional<reply> answer(step what) {
    const bool hit = planned_ && planned_->at == what && planned_->times > 0;
    if (!hit)
      return perform(what);
    if (planned_->applied && !perform(what))
      return std::nullopt;
    --planned_->times;
    return fail(planned_->code, "planned");
  }

  std::optional<reply> perform(step what) {
    switch (what) {
    case step::begin:
      settled = false, locked = true, voided_ = false, streamed_ = false;
      return wire::begun{make_ticket(105, 7, "n1", "n2", how_), "name: a\n", {}, false, 0, 0};
    case step::receive:
      target_waits = true;
      return handover_rig::good_answer(what);
    case step::move:
      return move();
    case step::see:
      seen_ = at_target;
      return at_target ? handover_rig::good_answer(what) : reply{fail(errc::timeout, "lags")};
    case step::stream:
      streamed_ = true, source_runs = false;
      return wire::accepted{};
    case step::cancel:
      if (!streamed_)
        return fail(errc::conflict, "nothing streams");
      return fail(errc::refused, "past its switchover");
    case step::source_outcome:
    case step::target_outcome:
      if (!streamed_)
        return std::nullopt;
      return handover_rig::good_answer(what);
    case step::take_over:
      return take_over();
    case step::claim:
      at_target = true;
      return handover_rig::good_answer(what);
    case step::void_target:
      if (target_runs)
        return fail(errc::refused, "too late");
      voided_ = true, target_waits = false;
      return handover_rig::good_answer(what);
    case step::continue_source:
      if (!voided_)
        return fail(errc::refused, "no proof");
      source_runs = true, at_target = false;
      return wire::accepted{};
    default:
      return end(what);
    }
  }

  reply end(step what) {
    if (what == step::settle_source || what == step::settle_target) {
      if (what == step::settle_source && !source_runs)
        return fail(errc::refused, "not continued");
      if (what == step::settle_source)
        at_target = false; // moved early
      settled = true, locked = false;
    }
    if (what == step::release) {
      if (!target_runs || !at_target)
        violations.emplace_back("released before the target runs and owns");
      source_gone = true;
    }
    return wire::accepted{};
  }

  reply move() {
    if ((how_ == policy::early) == streamed_)
      violations.emplace_back("moved on the wrong side of the switchover");
    at_target = true;
    return wire::accepted{};
  }

  reply take_over() {
    if (voided_ || !target_waits)
      return fail(errc::refused, "nothing to resume");
    if (how_ == policy::check && view_lags)
      return fail(errc::conflict, "config not visible here yet");
    if (how_ == policy::lock && !at_target)
      return fail(errc::refused, "not the owner");
    if (how_ == policy::early && !seen_)
      violations.emplace_back("resumed what was not seen");
    if (how_ == policy::claim)
      at_target = true;
    target_runs = true;
    return wire::taken_over{
      wire::run_state::running, wall_time{milliseconds{104}}, how_ == policy::nocheck && view_lags};
  }

  const policy how_;
  std::optional<fault> planned_;
  handover machine_;
  mono_time now_{};
  std::deque<permit_set> granted_;
  std::vector<handover::send> asked_;
  std::deque<std::uint32_t> timers_;
  bool cancel_due_ = false;
  bool streamed_ = false;
  bool voided_ = false;
  bool seen_ = false;
};

inline constexpr std::array all_steps{
  step::begin,
  step::receive,
  step::move,
  step::see,
  step::stream,
  step::source_outcome,
  step::target_outcome,
  step::cancel,
  step::limit,
  step::take_over,
  step::claim,
  step::release,
  step::settle_target,
  step::void_target,
  step::continue_source,
  step::settle_source};

} // namespace drover::testing
