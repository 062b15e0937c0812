// A recovery by hand on two agents: what `drover recover` does, on the rig's clock. Rule: the pure
// halves are the production code; only asking is done here.
#pragma once

#include "actors/recovery/recovery_rounds.hpp"
#include "tests/runtime/agent/agent_rig.hpp"

#include <map>
#include <set>
#include <utility>

namespace drover::test {

inline const node_id n3{"n3"};

class recovery_rig {
public:
  /// `silent` nodes are not asked.
  explicit recovery_rig(rig& world, std::set<node_id> silent = {})
    : world_(world), silent_(std::move(silent)) {}

  operator_words words;

  /// Another controller comes, with agents of its own, and recovers.
  recovery_report recover(recovery_mode mode = recovery_mode::act) {
    for (auto* node : {&world_.source, &world_.target})
      if (answers(*node))
        seat(*node, "recovery:" + std::to_string(++controllers));
    recovery_rounds rounds{words, mode, world_.clock.now()};
    for (;;) {
      auto next = rounds.looked(look(), world_.clock.now());
      if (next.over)
        return rounds.report();
      for (auto& steps : next.steps)
        while (const auto ask = steps.next())
          steps.answered(asked(ask->first, ask->second));
      for (const auto& [node, body] : next.chores)
        (void)asked(node, body);
      rounds.carried_out(next.steps);
      world_.clock.run_for(next.pause);
    }
  }

  const recovery_row& row_of(const recovery_report& report) const {
    for (const auto& one : report.last)
      if (one.vm == vm)
        return *one.row;
    FAIL("the VM was not seen");
    return *report.last.at(0).row;
  }

private:
  static inline int controllers = 0;

  bool answers(const node_rig& node) const {
    return !silent_.contains(&node == &world_.source ? n1 : n2);
  }

  result<wire::reply_body> asked(const node_id& node, const wire::request_body& body) {
    auto& at = node == n1 ? world_.source : world_.target;
    const auto id = at.send(body, milliseconds{20000});
    world_.clock.run_until([&] { return at.reply_to(id) != nullptr; }, std::chrono::seconds{40});
    const auto* reply = at.reply_to(id);
    return reply == nullptr ? fail(errc::lost, "no answer") : reply->body;
  }

  node_inspections look() {
    std::map<node_id, result<wire::reply_body>> answers_of;
    for (const auto& node : {n1, n2})
      answers_of.emplace(
        node, silent_.contains(node) ? result<wire::reply_body>{fail(errc::lost, "no link")}
                                     : asked(node, wire::inspect_handovers{}));
    return inspections_of(answers_of);
  }

  rig& world_;
  std::set<node_id> silent_;
};

} // namespace drover::test
