#include "runtime/program/recovery.hpp"

#include <thread>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// A store call may hang for 8 s when a node dies, and an agent first finds out what was left.
constexpr auto look_deadline = 20s;
/// A copy ends by SIGKILL at last, after 10 s of `quit`.
constexpr auto step_deadline = 30s;
constexpr std::size_t steps_at_once = 16;

/// One step of every decision at a time.
void carry_out(fleet& nodes, std::vector<recovery_steps>& all) {
  for (;;) {
    std::vector<std::pair<node_id, wire::request_body>> questions;
    std::vector<std::size_t> whose;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (auto ask = all[i].next()) {
        questions.push_back(std::move(*ask));
        whose.push_back(i);
      }
    if (questions.empty())
      return;
    const auto answers = nodes.call_each(questions, step_deadline, steps_at_once);
    for (std::size_t i = 0; i < answers.size(); ++i)
      all[whose[i]].answered(answers[i]);
  }
}

} // namespace

recovery_report recover(fleet& nodes, operator_words words, recovery_mode mode) {
  recovery_rounds rounds{std::move(words), mode, monotonic_now()};
  for (;;) {
    const auto seen = inspections_of(nodes.call_all(wire::inspect_handovers{}, look_deadline));
    auto next = rounds.looked(seen, monotonic_now());
    if (next.over)
      return rounds.report();
    carry_out(nodes, next.steps);
    rounds.carried_out(next.steps);
    if (!next.chores.empty())
      nodes.call_each(next.chores, step_deadline, steps_at_once);
    std::this_thread::sleep_for(next.pause);
  }
}

} // namespace drover
