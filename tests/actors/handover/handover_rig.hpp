// Drives one handover machine by hand. Rule: a test reads as the story of one VM; what the machine
// asked for is looked up by step, and every answer has a good default.
#pragma once

#include "actors/handover/handover.hpp"
#include "tests/support/tickets.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>

namespace drover::testing {

class handover_rig {
public:
  explicit handover_rig(policy how = policy::ticket, std::uint32_t channels = 1)
    : machine(migration_order{
        vm_id{105}, node_id{"n1"}, node_id{"n2"}, how, "test", 1 << 21, 3, stream_kind::tls,
        channels}) {}

  void give(const handover::event& e) {
    now += milliseconds{1};
    for (auto& c : machine.handle(e, now))
      take(std::move(c));
  }

  /// Grants, answers and timers until nothing is asked any more; `answer_for` may replace answers.
  void run() {
    for (int i = 0; i < 500 && !ending && serve_one(); ++i) {
    }
  }

  bool serve_one() {
    if (!wanted.empty()) {
      const auto set = *wanted.begin();
      wanted.erase(wanted.begin());
      held.insert(set);
      give(handover::permits_granted{set, 0.0});
      return true;
    }
    for (const auto& s : asked)
      if (!silent.contains(s.what)) {
        const auto what = s.what;
        const auto attempt = s.attempt;
        std::erase_if(asked, [&](const auto& a) { return a.what == what && a.attempt == attempt; });
        log.push_back(what);
        give(handover::answered{what, answer_for(what), attempt, clock});
        return true;
      }
    if (timers.empty())
      return false;
    const auto generation = timers.front();
    timers.erase(timers.begin());
    give(handover::timer_fired{generation});
    return true;
  }

  /// Runs until `what` was asked; it stays unanswered.
  void run_until(step what) {
    silent.insert(what);
    for (int i = 0; i < 500 && !ending && !is_asked(what) && serve_one(); ++i) {
    }
    REQUIRE(is_asked(what));
  }

  void answer(step what, result<wire::reply_body> body, std::uint32_t link = 0) {
    silent.erase(what);
    std::erase_if(asked, [what](const auto& a) { return a.what == what; });
    log.push_back(what);
    give(handover::answered{what, std::move(body), 0, clock, link});
  }

  bool is_asked(step what) const {
    return std::any_of(asked.begin(), asked.end(), [&](const auto& a) { return a.what == what; });
  }

  bool was_asked(step what) const {
    return is_asked(what) || std::find(log.begin(), log.end(), what) != log.end();
  }

  result<wire::reply_body> answer_for(step what) {
    if (auto planned = answers.find(what); planned != answers.end() && !planned->second.empty()) {
      auto body = planned->second.front();
      if (planned->second.size() > 1)
        planned->second.erase(planned->second.begin());
      return body;
    }
    return good_answer(what);
  }

  static result<wire::reply_body> good_answer(step what) {
    switch (what) {
    case step::begin:
      return wire::begun{make_ticket(105, 7, "n1", "n2"), "name: a\n", {}, false, 0, 0};
    case step::receive:
      return wire::stream_offer{"127.0.0.1", 4000, "token", 10, "boot", "key"};
    case step::source_outcome:
      return wire::outcome{
        wire::stream_end::completed,
        {},
        wall_time{milliseconds{100}},
        wall_time{milliseconds{103}},
        4096};
    case step::target_outcome:
      return wire::outcome{wire::stream_end::completed, {}, {}, wall_time{milliseconds{102}}, 0};
    case step::take_over:
      return wire::taken_over{wire::run_state::running, wall_time{milliseconds{104}}};
    case step::see:
    case step::claim:
      return wire::claimed{wall_time{milliseconds{105}}};
    case step::void_target:
      return wire::voided{epoch{7}, "boot", epoch{0}};
    default:
      return wire::accepted{};
    }
  }

  handover machine;
  /// Of both nodes, which are one host.
  std::optional<clock_estimate> clock = clock_estimate{"boot", {}, {}, {}};
  mono_time now{};
  std::set<permit_set> wanted;
  std::set<permit_set> held;
  std::vector<handover::send> asked;
  std::vector<step> log;
  std::vector<std::uint32_t> timers;
  std::map<step, std::vector<result<wire::reply_body>>> answers; ///< the last one repeats
  std::set<step> silent;                                         ///< not answered
  std::vector<std::string> phases;
  std::vector<pause_mark> marks;
  std::vector<stream_narrowed> narrowed;
  std::optional<migration_result> ending;
  bool journal_answers = true;
  int writes_ahead = 0;

private:
  void note_ahead() {
    ++writes_ahead;
    if (journal_answers)
      give(handover::written_ahead{});
  }

  void take(handover::command c) {
    if (auto* p = std::get_if<handover::take_permits>(&c))
      wanted.insert(p->set);
    else if (auto* g = std::get_if<handover::give_back>(&c))
      wanted.erase(g->set), held.erase(g->set);
    else if (auto* s = std::get_if<handover::send>(&c))
      asked.push_back(std::move(*s));
    else if (auto* w = std::get_if<handover::wait>(&c))
      timers.push_back(w->generation);
    else if (std::holds_alternative<handover::write_ahead>(c))
      note_ahead();
    else if (auto* f = std::get_if<handover::finish>(&c))
      ending = std::move(f->result);
    else if (auto* n = std::get_if<handover::note>(&c))
      take_note(n->body);
  }

  void take_note(const decltype(trace_event::body)& body) {
    if (const auto* p = std::get_if<phase_changed>(&body))
      phases.push_back(p->to);
    else if (const auto* m = std::get_if<pause_mark>(&body))
      marks.push_back(*m);
    else if (const auto* few = std::get_if<stream_narrowed>(&body))
      narrowed.push_back(*few);
  }
};

inline tl::unexpected<error> bad(errc code, std::string what = "planned") {
  return fail(code, std::move(what));
}

inline wire::outcome ended(wire::stream_end end, std::string reason = {}) {
  return wire::outcome{end, std::move(reason), {}, {}, 0};
}

} // namespace drover::testing
