// A session against an agent behind a bad link: lines are lost with the link, doubled by the agent,
// answered late and out of order. Whatever happens, each call ends once, in time.
#include "tests/actors/nodes/session_rig.hpp"

#include <algorithm>
#include <random>
#include <set>

namespace {

using namespace drover;
using session::phase;
using test::session_rig;

class bad_world {
public:
  explicit bad_world(std::uint32_t seed) : luck_(seed) {}

  void run(int steps) {
    rig_.start();
    for (int n = 0; n < steps; ++n)
      step();
    // Calm: the link behaves, and everything that waits ends at its deadline at the latest.
    for (int n = 0; n < 2000 && rig_.session.calls_waiting() > 0; ++n)
      calm_step();
    check();
  }

  std::size_t answered_well() const {
    return static_cast<std::size_t>(
      std::count_if(rig_.answers.begin(), rig_.answers.end(), [](const auto& a) {
        return a.second.size() == 1 && a.second[0].has_value();
      }));
  }
  std::size_t asked_again() const { return rig_.again.size(); }
  const std::vector<session::drop>& drops() const { return rig_.drops; }

private:
  int pick(int most) { return std::uniform_int_distribution<int>(0, most)(luck_); }

  void step() {
    rig_.pass(pick(300));
    connect();
    switch (pick(9)) {
    case 0:
    case 1:
    case 2: {
      const int wait = 50 + pick(4000);
      deadlines_[rig_.call(wire::list_vms{}, wait)] = rig_.now + milliseconds(wait);
      break;
    }
    case 3:
      if (rig_.session.at() != phase::waiting)
        break_link();
      break;
    case 4:
      rig_.line("garbage");
      break;
    case 5:
      break;
    default:
      answer_some();
      break;
    }
  }

  void calm_step() {
    rig_.pass(20);
    connect();
    while (!inbox_.empty())
      answer_some();
  }

  void connect() {
    if (rig_.session.at() == phase::opening)
      rig_.opened();
    if (rig_.session.at() == phase::closing)
      break_link();
    for (; seen_ < rig_.sent.size(); ++seen_)
      inbox_.push_back(rig_.sent[seen_]);
  }

  void break_link() {
    inbox_.clear();
    rig_.closed();
  }

  /// The agent answers any of its requests, sometimes twice, sometimes an old one again.
  void answer_some() {
    if (inbox_.empty())
      return;
    const auto at = inbox_.begin() + pick(static_cast<int>(inbox_.size()) - 1);
    const auto request = *at;
    inbox_.erase(at);
    result<wire::reply_body> body = wire::vm_list{};
    if (std::holds_alternative<wire::hello>(request.body))
      body = test::good_hello();
    else if (std::holds_alternative<wire::ping>(request.body))
      body = wire::accepted{};
    for (int times = pick(4) == 0 ? 2 : 1; times > 0; --times)
      rig_.reply(request.id, body);
    if (!past_.empty() && pick(5) == 0)
      rig_.reply(past_[static_cast<std::size_t>(pick(static_cast<int>(past_.size()) - 1))]);
    past_.push_back(request.id);
    note_ends();
  }

  void note_ends() {
    for (const auto& [id, deadline] : deadlines_)
      if (rig_.now > deadline && rig_.answers[id].empty())
        overdue_.insert(id);
  }

  void check() {
    note_ends();
    CHECK(overdue_.empty());
    CHECK(rig_.session.calls_waiting() == 0);
    std::set<request_id> ids;
    for (const auto& [id, deadline] : deadlines_)
      if (rig_.answers[id].size() != 1)
        ids.insert(id);
    CHECK(ids.empty());
    CHECK(rig_.answers.size() == deadlines_.size());
  }

  std::mt19937 luck_;
  session_rig rig_;
  std::size_t seen_ = 0;
  std::vector<wire::request> inbox_;
  std::vector<request_id> past_;
  std::map<request_id, mono_time> deadlines_;
  std::set<request_id> overdue_;
};

} // namespace

TEST_CASE("over a bad link every call ends exactly once and in time", "[pure]") {
  std::size_t well = 0, again = 0;
  std::set<session::drop> kinds;
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    bad_world world(seed);
    world.run(200);
    well += world.answered_well();
    again += world.asked_again();
    kinds.insert(world.drops().begin(), world.drops().end());
  }
  // The worlds are bad enough to reach what they are meant to reach.
  CHECK(well > 1000);
  CHECK(again > 100);
  CHECK(kinds.count(session::drop::late_reply) == 1);
  CHECK(kinds.count(session::drop::double_reply) == 1);
  CHECK(kinds.count(session::drop::unreadable) == 1);
}
