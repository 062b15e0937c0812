#include "runtime/sim/operator_actor.hpp"

#include "actors/actor_time.hpp"

#include <memory>
#include <set>

namespace drover {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds look_deadline = 15s;
constexpr auto answer_grace = 5s;
/// As the program has them for a recovery.
constexpr milliseconds inspect_deadline = 20s;
constexpr milliseconds step_deadline = 30s;
/// An evacuation ends by its migrations' own deadlines; this only bounds a broken actor.
constexpr std::chrono::minutes run_max{30 * 24 * 60};

} // namespace

struct recovery_under_way {
  recovery_rounds rounds;
  std::function<void(recovery_report)> ended;
  std::vector<recovery_steps> steps{};
  std::vector<std::pair<node_id, wire::request_body>> chores{};
  nanoseconds pause{0};
  std::map<node_id, result<wire::reply_body>> answers{};
  std::size_t outstanding = 0;
};

namespace {

class scenario_operator {
public:
  using handle = operator_handle;
  static constexpr const char* name = "scenario_operator";

  scenario_operator(handle::pointer self, operator_parts parts)
    : self_(self), parts_(std::move(parts)) {}

  handle::behavior_type make_behavior() {
    return {
      [this](operate& m) { begin(std::move(m)); },
      [this](look_around& m) { look({}, std::move(m.seen)); },
      [this](const cancel_all& m) {
        for (const auto& job : jobs_)
          self_->send(job, cancel_evacuation{m.reason});
      },
      [this](look_at_permits& m) { look_at_locks(std::move(m.seen)); },
      [this](recover_all& m) {
        inspect(std::make_shared<recovery_under_way>(recovery_under_way{
          {std::move(m.words), recovery_mode::act, actor_now(*self_)}, std::move(m.ended)}));
      },
      [this](look_at_recovery& m) { inspect(m.what); },
    };
  }

private:
  using answers = std::map<node_id, result<wire::reply_body>>;

  void begin(operate order) {
    // Who names his targets needs to know of nobody else.
    std::set<node_id> whom{order.what.targets.begin(), order.what.targets.end()};
    if (!whom.empty())
      whom.insert(order.what.source);
    look(whom, [this, order = std::move(order)](survey seen) {
      note_survey(*parts_.around.trace, seen, parts_.around.wall_now());
      auto p = plan_of(parts_.cluster, seen, order.what);
      if (!p) {
        run_result r;
        r.code = outcome_code::usage_or_internal;
        r.message = to_string(p.error());
        return order.ended(std::move(r));
      }
      note_plan(*parts_.around.trace, *p, order.cordon, parts_.around.wall_now());
      if (!p->feasible)
        return order.ended(result_of_infeasible(*p));
      run(std::move(*p), order);
    });
  }

  void run(plan p, const operate& order) {
    auto job =
      spawn_evacuation(self_->system(), {parts_.tree.locks, parts_.tree.owners}, parts_.around);
    jobs_.insert(job);
    self_->request(job, run_max, run_evacuation{order_of(p, parts_.controller, order.cordon)})
      .then(
        [this, job, p, ended = order.ended](const evacuation_report& report) {
          jobs_.erase(job);
          ended(result_of(p, report));
        },
        [this, job, ended = order.ended](const caf::error&) {
          jobs_.erase(job);
          run_result r;
          r.code = outcome_code::usage_or_internal;
          r.message = "the evacuation actor does not answer";
          ended(std::move(r));
        });
  }

  /// At these nodes; empty = all.
  void look(const std::set<node_id>& whom, std::function<void(survey)> seen) {
    auto all = std::make_shared<answers>();
    const auto count = whom.empty() ? parts_.tree.owners.size() : whom.size();
    for (const auto& [node, owner] : parts_.tree.owners) {
      if (!whom.empty() && !whom.contains(node))
        continue;
      const auto take = [all, count, seen, from = node](result<wire::reply_body> body) {
        all->emplace(from, std::move(body));
        if (all->size() == count)
          seen(survey_of(*all));
      };
      self_
        ->request(owner, look_deadline + answer_grace, node_call{wire::list_vms{}, look_deadline})
        .then(
          [take](node_answer& a) { take(std::move(a.body)); },
          [take](const caf::error&) {
            take(fail(errc::lost, "the node's owner does not answer"));
          });
    }
  }

  using recovery = std::shared_ptr<recovery_under_way>;

  void ask(
    const node_id& node, wire::request_body body, milliseconds deadline,
    std::function<void(result<wire::reply_body>)> take) {
    self_
      ->request(
        parts_.tree.owners.at(node), deadline + answer_grace, node_call{std::move(body), deadline})
      .then(
        [take](node_answer& a) { take(std::move(a.body)); },
        [take](const caf::error&) { take(fail(errc::lost, "the node's owner does not answer")); });
  }

  void inspect(const recovery& r) {
    r->answers.clear();
    r->outstanding = parts_.tree.owners.size();
    for (const auto& [node, owner] : parts_.tree.owners)
      ask(
        node, wire::inspect_handovers{}, inspect_deadline,
        [this, r, from = node](result<wire::reply_body> body) {
          r->answers.emplace(from, std::move(body));
          if (--r->outstanding == 0)
            looked(r);
        });
  }

  void looked(const recovery& r) {
    auto next = r->rounds.looked(inspections_of(r->answers), actor_now(*self_));
    if (next.over)
      return r->ended(r->rounds.report());
    r->steps = std::move(next.steps);
    r->chores = std::move(next.chores);
    r->pause = next.pause;
    take_steps(r);
  }

  /// One step of every decision at a time.
  void take_steps(const recovery& r) {
    std::vector<std::pair<std::size_t, std::pair<node_id, wire::request_body>>> asked;
    for (std::size_t i = 0; i < r->steps.size(); ++i)
      if (auto next = r->steps[i].next())
        asked.emplace_back(i, std::move(*next));
    if (asked.empty())
      return do_chores(r);
    r->outstanding = asked.size();
    for (auto& [i, question] : asked)
      ask(
        question.first, std::move(question.second), step_deadline,
        [this, r, at = i](const result<wire::reply_body>& body) {
          r->steps[at].answered(body);
          if (--r->outstanding == 0)
            take_steps(r);
        });
  }

  void do_chores(const recovery& r) {
    r->rounds.carried_out(r->steps);
    for (auto& [node, body] : r->chores)
      ask(node, std::move(body), step_deadline, [](const result<wire::reply_body>&) {});
    self_->delayed_send(handle{self_}, r->pause, look_at_recovery{r});
  }

  void look_at_locks(std::function<void(lock_usage)> seen) {
    self_->request(parts_.tree.locks, answer_grace, ask_lock_usage{})
      .then([seen](const lock_usage& usage) { seen(usage); }, [](const caf::error&) {});
  }

  handle::pointer self_;
  operator_parts parts_;
  std::set<evacuation_handle> jobs_;
};

} // namespace

void configure_operator(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::drover_operator>();
}

operator_handle spawn_operator(caf::actor_system& system, operator_parts parts) {
  return spawn_state<scenario_operator>(system, std::move(parts));
}

} // namespace drover
