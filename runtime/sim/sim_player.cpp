#include "runtime/sim/sim_player.hpp"

#include "runtime/base/check.hpp"
#include "runtime/sim/fault_player.hpp"
#include "runtime/sim/pause_truth.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// After the last run has ended, agents may still finish what a dead controller left.
constexpr auto calm_max = 240s;
constexpr auto calm_look = 2s;
/// In the calm the operator tries again so many times.
constexpr std::uint32_t rounds_max = 6;
constexpr auto round_gap = 5s;
/// No world comes near this between two looks at the clock; it bounds a broken one.
constexpr std::uint64_t steps_max = 200'000'000;

std::string config_text(const scenario_vms& group, vm_id vm) {
  constexpr std::uint64_t mib = 1024 * 1024;
  constexpr std::uint64_t memory_mib_least = 16;
  const auto memory_mib = std::max(memory_mib_least, (group.memory_bytes() + mib - 1) / mib);
  return "name: vm-" + to_string(vm) + "\nmemory: " + std::to_string(memory_mib) +
         "\ncores: 1\nmachine: pc-i440fx-7.2\n" + config_lines(group);
}

sim_world_settings settings_of(const scenario_file& scenario, const sim_play_settings& play) {
  sim_world_settings s;
  s.seed = play.seed;
  s.cluster = local_cluster(scenario, "/simulated");
  s.store.lag = scenario.store.lag;
  s.store.write = scenario.store.write;
  s.store.lock_expiry = scenario.store.lock_expiry;
  // A write waits for what the own view has not seen, which may be as long as the lag.
  for (const auto& [node, of] : scenario.nodes)
    s.store.call_deadline = std::max<milliseconds>(
      s.store.call_deadline,
      std::chrono::ceil<milliseconds>(
        3 * std::max(scenario.lag_of(node).most, scenario.lag_of(node).slow_most)));
  s.machines.bandwidth_bytes_per_s = std::uint64_t{scenario.stream_bandwidth_mb} * 1'000'000;
  const bool waits_for_details =
    std::any_of(scenario.actions.begin(), scenario.actions.end(), [](const auto& a) {
      const auto of_details = [](const std::optional<event_condition>& when) {
        return when && is_detail(when->event);
      };
      const auto* e = std::get_if<action::evacuate>(&a.what);
      return of_details(a.when) || (e != nullptr && of_details(e->killed_at));
    });
  s.detail = waits_for_details ? sim_detail::everything : play.detail;
  for (const auto& [node, of] : scenario.nodes) {
    s.store_lag[node] = scenario.lag_of(node);
    s.link_latency[node] = scenario.latency_of(node);
    if (of.clock.shows != host_clock{})
      s.clocks[node] = of.clock.shows;
    if (of.clock.heard_after.count() > 0)
      s.news_late[node] = of.clock.heard_after;
  }
  return s;
}

/// Watches the trace for the events that actions wait for.
class event_triggers final : public trace_sink {
public:
  event_triggers(
    const std::vector<scenario_action>& actions, luck chance, std::function<void(std::size_t)> due)
    : chance_(chance), due_(std::move(due)) {
    for (std::size_t i = 0; i < actions.size(); ++i)
      if (actions[i].when)
        waiting_.emplace_back(i, event_counter{drawn(*actions[i].when, chance_)});
  }
  /// Counted from now on; told once.
  void watch_for(const event_condition& condition, std::function<void()> come) {
    death_.emplace(event_counter{drawn(condition, chance_)}, std::move(come));
  }
  void take(const trace_event& event) override {
    if (death_ && death_->first.take(event)) {
      const auto come = std::move(death_->second);
      death_.reset();
      come();
    }
    for (auto& [index, counter] : waiting_)
      if (counter.take(event)) {
        ++fired_;
        due_(index);
      }
  }
  std::size_t left() const { return waiting_.size() - fired_; }
  bool awaits_death() const { return death_.has_value(); }

private:
  luck chance_;
  std::function<void(std::size_t)> due_;
  std::optional<std::pair<event_counter, std::function<void()>>> death_;
  std::vector<std::pair<std::size_t, event_counter>> waiting_;
  std::size_t fired_ = 0;
};

class sim_player {
public:
  sim_player(const scenario_file& scenario, const sim_play_settings& play)
    : scenario_(scenario), fan_(std::make_shared<trace_fan>()),
      world_(settings_of(scenario, play), fan_),
      watch_(std::make_shared<invariants>(
        watched_parts{world_.queue(), world_.store(), world_.machines(), world_.cluster()})),
      faults_(world_, *watch_), audit_(std::make_shared<pause_audit>()),
      truth_(std::make_shared<pause_truth>(world_.queue(), world_.clocks(), audit_)),
      triggers_(std::make_shared<event_triggers>(
        scenario.actions, luck{play.seed}.fork("moments"),
        [this](std::size_t index) { arm(index); })) {
    if (play.trace)
      fan_->add(play.trace);
    fan_->add(watch_);
    fan_->add(truth_);
    fan_->add(triggers_);
    truth_->set_accuser(
      [this](vm_id vm, const std::string& what) { watch_->pause_misjudged(vm, what); });
    world_.on_machine_change = [this](const machine_changed& e) { watch_->on_change(e); };
  }

  sim_outcome play() {
    put_vms();
    world_.start_controller();
    deadline_ = world_.queue().now() + std::chrono::seconds{scenario_.deadline_s};
    for (std::size_t i = 0; i < scenario_.actions.size(); ++i)
      if (!scenario_.actions[i].when)
        arm(i);
    // What waits for an event of a run that has ended waits in vain.
    run_until([this] { return armed_ == 0 && runs_ == 0; }, deadline_);
    if (runs_ > 0 || armed_ > 0) {
      mishaps_.push_back(
        "the deadline of " + std::to_string(scenario_.deadline_s) + " s has passed");
      world_.tell(cancel_all{"the scenario's deadline has passed"});
      run_until([this] { return runs_ == 0; }, world_.queue().now() + 300s);
    }
    if (scenario_.repeat_until_settled)
      evacuate_again();
    be_calm();
    return conclude();
  }

private:
  void put_vms() {
    for (const auto& group : scenario_.vms)
      for (std::uint32_t i = 0; i < group.count; ++i) {
        const vm_id vm{group.first.value + i};
        const auto text = config_text(group, vm);
        world_.store().put_config(vm, group.node, text);
        world_.machines().set_load(vm, {group.dirty_bytes_per_s(), group.working_set_bytes()});
        world_.machines().put_machine(
          group.node, vm, text, group.paused ? wire::run_state::paused : wire::run_state::running);
        watch_->expect_vm(vm, group.node, group.paused);
      }
    places_ = world_.store().places();
  }

  template <class Condition>
  bool run_until(Condition reached, mono_time until) {
    while (!reached()) {
      if (world_.queue().now() >= until)
        return false;
      if (!world_.step())
        return false;
      DROVER_CHECK(world_.steps() < steps_max, "a simulated world does not come to rest");
    }
    return true;
  }

  void arm(std::size_t index) {
    ++armed_;
    world_.queue().after(scenario_.actions[index].after, [this, index] {
      --armed_;
      act(scenario_.actions[index].what);
    });
  }

  void act(const action::any& what) {
    if (const auto* e = std::get_if<action::evacuate>(&what)) {
      depart({e->node, {e->targets.begin(), e->targets.end()}, e->how, {}}, e->node);
      if (e->killed_at)
        triggers_->watch_for(*e->killed_at, [this, agents = e->killed_agents] {
          ++armed_;
          world_.queue().after(nanoseconds{0}, [this, agents] {
            --armed_;
            kill_controller(agents);
          });
        });
      return;
    }
    if (std::holds_alternative<action::recover>(what))
      return recover();
    if (const auto* m = std::get_if<action::migrate>(&what)) {
      const auto source = world_.store().owner(m->vm);
      if (!source)
        return mishaps_.push_back("no node holds VM " + to_string(m->vm));
      return depart({*source, {m->target}, m->how, m->vm}, std::nullopt);
    }
    if (std::holds_alternative<action::cancel>(what)) {
      world_.note(scenario_acted{"cancel", ""});
      return world_.tell(cancel_all{"cancelled by the scenario"});
    }
    if (std::holds_alternative<action::restart_controller>(what)) {
      // The runs of a controller that is killed end with it.
      ++controller_;
      runs_ = 0;
    }
    faults_.carry_out(what);
  }

  /// The runs of a controller that is killed end with it.
  void kill_controller(const std::set<node_id>& agents) {
    ++controller_;
    runs_ = 0;
    watch_->controller_restarted();
    world_.kill_controller();
    for (const auto& node : agents)
      world_.host(node).kill_agents();
    world_.note(scenario_acted{"controller_killed", {}});
  }

  void recover() {
    if (!world_.has_controller())
      world_.start_controller();
    ++runs_;
    world_.note(scenario_acted{"recover", {}});
    world_.tell(recover_all{{}, [this, mine = controller_](const recovery_report& r) {
                              if (mine != controller_)
                                return;
                              --runs_;
                              if (const auto code = exit_code(r); code != 0)
                                mishaps_.push_back(
                                  "a recovery ended with the exit code " + std::to_string(code));
                              world_.note(scenario_acted{"recovered", {}});
                            }});
  }

  void depart(departure what, const std::optional<node_id>& cordon) {
    if (!last_evacuated_ && cordon)
      last_evacuated_ = what;
    world_.note(scenario_acted{
      cordon ? "evacuate" : "migrate", cordon ? cordon->value : to_string(*what.only)});
    begin(what, cordon, [this](run_result r) { ended_.push_back(std::move(r)); });
  }

  void begin(
    const departure& what, const std::optional<node_id>& cordon,
    std::function<void(run_result)> ended) {
    ++runs_;
    world_.tell(
      operate{what, cordon, [this, mine = controller_, ended = std::move(ended)](run_result r) {
                if (mine != controller_)
                  return;
                --runs_;
                note_operator_needs(r);
                ended(std::move(r));
              }});
  }

  void note_operator_needs(const run_result& r) {
    for (const auto& m : r.migrations) {
      if (m.end == verdict::needs_operator)
        needs_operator_[m.vm] = m.reason;
      else if (m.end == verdict::moved)
        needs_operator_.erase(m.vm);
    }
  }

  /// In the calm: what stayed because of a fault is asked to go once more.
  void evacuate_again() {
    if (!last_evacuated_)
      return;
    const auto wait = [this](nanoseconds time) {
      const auto until = world_.queue().now() + time;
      run_until([] { return false; }, until);
    };
    for (std::uint32_t round = 0; round < rounds_max; ++round) {
      wait(round_gap);
      std::optional<run_result> last;
      begin(
        *last_evacuated_, last_evacuated_->source, [&last](run_result r) { last = std::move(r); });
      run_until([&] { return last.has_value(); }, world_.queue().now() + 3600s);
      if (!last) {
        mishaps_.push_back("an evacuation in the calm did not end");
        return;
      }
      repeated_ = last;
      if (last->code == outcome_code::all_moved)
        return;
    }
  }

  /// Lets everybody finish, at most `calm_max` after the last fault has ended.
  void be_calm() {
    run_until([this] { return faults_.under_way() == 0; }, deadline_ + calm_max);
    const auto until = world_.queue().now() + calm_max;
    while (world_.queue().now() < until && !watch_->is_settled()) {
      const auto look = world_.queue().now() + calm_look;
      run_until([] { return false; }, look);
    }
  }

  sim_outcome conclude() {
    sim_outcome out;
    // Agents report their store operations when the node has nothing better to do.
    const auto told = world_.queue().now() + 1s;
    run_until([] { return false; }, told);
    bool seen = false;
    world_.tell(look_around{[&](survey s) {
      out.played.seen = std::move(s);
      seen = true;
    }});
    std::optional<lock_usage> permits;
    run_until([&] { return seen; }, world_.queue().now() + 60s);
    world_.tell(look_at_permits{[&](lock_usage u) { permits = std::move(u); }});
    run_until([&] { return permits.has_value(); }, world_.queue().now() + 60s);
    if (!seen)
      mishaps_.push_back("the nodes did not answer in the calm");
    if (!permits || permits->leases > 0 || permits->waiting > 0)
      watch_->permits_leaked(permits ? permits->leases + permits->waiting : 0);
    check_ticket_pauses();
    watch_->check_at_the_end(needs_operator_);
    out.played.result = combined(ended_);
    out.played.intrusions = audit_->store_operations_in_pauses();
    out.played.operations_outside_pauses = audit_->store_operations_outside_pauses();
    out.played.races = audit_->races();
    out.played.refused = audit_->refused();
    out.played.mishaps = mishaps_;
    // Where many seeds are played, faults may leave nothing to wait for.
    if (triggers_->left() > 0 && !ended_.empty() && !scenario_.is_drawn)
      out.played.mishaps.push_back(
        std::to_string(triggers_->left()) + " actions waited for events that never came");
    if (triggers_->awaits_death())
      out.played.mishaps.emplace_back("an evacuation ended before its controller was killed");
    out.violations = watch_->found();
    out.needs_operator = needs_operator_;
    out.lost_to_faults = watch_->lost_to_faults().size();
    out.injected = faults_.injected();
    out.met = faults_.met();
    out.pauses_checked = truth_->checked();
    out.virtual_s = seconds(world_.queue().now().time_since_epoch());
    out.steps = world_.steps();
    for (const auto& v : out.violations)
      out.played.violations.push_back(to_string(v));
    out.played.excused = watch_->lost_to_faults();
    for (const auto& [vm, reason] : needs_operator_)
      out.played.excused.insert(vm);
    // A host may still be down when all is asked; the invariants have looked at what really is.
    if (scenario_.is_drawn)
      for (const auto& [vm, node] : places_)
        out.played.excused.insert(vm);
    return out;
  }

  /// Invariant 6: under `ticket` no pause holds a store operation.
  void check_ticket_pauses() {
    if (has_mortal_controllers(scenario_))
      return;
    std::set<vm_id> by_ticket;
    for (const auto& r : ended_)
      for (const auto& m : r.migrations)
        if (m.how == policy::ticket && m.end == verdict::moved)
          by_ticket.insert(m.vm);
    // An agent that restarts, or goes on alone, has to ask the store what was going on.
    for (const auto* word :
         {"kill_agent", "kill_node", "cut_link", "half_open_link", "restart_controller"})
      if (faults_.injected().contains(word))
        return;
    for (const auto& i : audit_->store_operations_in_pauses())
      // A listing reads every config at any time, and nobody in the pause waits for it.
      if (i.operation != "read_config" && by_ticket.contains(i.vm))
        watch_->pause_disturbed(i.vm, i.operation + " at " + i.node.value);
  }

  const scenario_file& scenario_;
  std::shared_ptr<trace_fan> fan_;
  sim_world world_;
  std::shared_ptr<invariants> watch_;
  fault_player faults_;
  std::shared_ptr<pause_audit> audit_;
  std::shared_ptr<pause_truth> truth_;
  std::shared_ptr<event_triggers> triggers_;
  std::map<vm_id, node_id> places_;
  mono_time deadline_;
  std::size_t armed_ = 0;
  std::size_t runs_ = 0;
  std::uint32_t controller_ = 0;
  std::vector<run_result> ended_;
  std::optional<run_result> repeated_;
  std::optional<departure> last_evacuated_;
  std::map<vm_id, std::string> needs_operator_;
  std::vector<std::string> mishaps_;
};

} // namespace

sim_outcome play_in_sim(const scenario_file& scenario, const sim_play_settings& settings) {
  auto out = sim_player{scenario, settings}.play();
  out.wrong = judge_scenario(scenario, out.played);
  return out;
}

} // namespace drover
