#include "runtime/scenario/scenario_player.hpp"

#include <algorithm>
#include <thread>

namespace drover {
namespace {

using namespace std::chrono_literals;

constexpr auto look_deadline = 12s;
/// A guest that runs beats within this time after the last event, also on a busy machine.
constexpr auto beat_wait = 10s;
constexpr std::uint64_t beats_to_end = 3;
/// The agents report their store operations at most this long after they happened.
constexpr auto trace_settles = 400ms;
constexpr auto turn = 100ms;

} // namespace

scenario_player::scenario_player(
  const scenario_file& scenario, observers& watching, interrupts& signals)
  : scenario_(scenario), watching_(watching), signals_(signals),
    triggers_(std::make_shared<action_triggers>(scenario.actions, luck_of_the_moment())) {
  watching_.trace()->add(triggers_);
  watching_.trace()->add(audit_);
}

result<scenario_verdict> scenario_player::play(const std::filesystem::path& keep) {
  const auto until = monotonic_now() + std::chrono::seconds{scenario_.deadline_s};
  auto world = local_world::open(scenario_, keep, watching_.trace(), watching_.pulse());
  if (!world)
    return tl::unexpected(world.error());
  world_ = std::move(*world);
  signals_.on_signal([this](unsigned) {
    std::fputs("drover: interrupted; cancelling and cleaning up\n", stderr);
    cancel_runs("cancelled by the operator");
    triggers_->wake();
  });
  auto started = world_->start([this] { return interrupted(); });
  if (!started) {
    signals_.on_signal({});
    return tl::unexpected(started.error());
  }
  const auto before = world_->snapshot();
  // A controller that may be killed is a process of its own, and a node has one controller.
  if (has_mortal_controllers(scenario_))
    world_->leave();
  triggers_->begin(monotonic_now());
  while (monotonic_now() < until && !interrupted() &&
         !(triggers_->never_due().empty() && runs_have_ended())) {
    auto due = triggers_->next(std::min(until, monotonic_now() + turn));
    const bool all_over = !due && !runs_.empty() && runs_have_ended();
    if (all_over)
      due = triggers_->next(monotonic_now() + turn);
    if (due)
      act(*due);
    else if (all_over)
      break; // What waits for an event of a run that has ended waits in vain.
  }
  if (monotonic_now() >= until) {
    complain("the deadline of " + std::to_string(scenario_.deadline_s) + " s has passed");
    cancel_runs("the scenario's deadline has passed");
  }
  wait_for_runs(monotonic_now() + 60s);
  if (has_mortal_controllers(scenario_))
    if (auto joined = world_->join(); !joined) {
      signals_.on_signal({});
      return tl::unexpected(joined.error());
    }
  auto verdict = conclude(before);
  signals_.on_signal({});
  for (auto& left : world_->close())
    verdict.wrong.push_back("left behind: " + left);
  return verdict;
}

void scenario_player::act(std::size_t index) {
  std::visit([this](const auto& a) { carry_out(a); }, scenario_.actions[index].what);
}

void scenario_player::carry_out(const action::evacuate& a) {
  if (has_mortal_controllers(scenario_)) {
    watching_.trace()->take({wall_now(), scenario_acted{a.verb, a.node.value}});
    runs_.push_back(std::async(std::launch::async, [this, a] { return evacuate_apart(a); }));
    return;
  }
  depart({a.node, {a.targets.begin(), a.targets.end()}, a.how, std::nullopt}, a.node);
}

void scenario_player::carry_out(const action::migrate& a) {
  const auto source = node_of(look(), a.vm);
  if (!source)
    return complain("no node holds VM " + to_string(a.vm));
  depart({*source, {a.target}, a.how, a.vm}, std::nullopt);
}

void scenario_player::carry_out(const action::kill_target_qemu& a) {
  auto killed = world_->kill_target_qemu(a.vm);
  watching_.trace()->take({wall_now(), scenario_acted{"kill_target_qemu", to_string(a.vm)}});
  if (!killed)
    complain(to_string(killed.error()));
}

void scenario_player::carry_out(const action::kill_source_qemu& a) {
  auto killed = world_->kill_source_qemu(a.vm);
  watching_.trace()->take({wall_now(), scenario_acted{"kill_source_qemu", to_string(a.vm)}});
  if (!killed)
    complain(to_string(killed.error()));
}

void scenario_player::carry_out(const action::kill_agent& a) {
  auto killed = world_->kill_agent(a.node);
  watching_.trace()->take({wall_now(), scenario_acted{"kill_agent", a.node.value}});
  if (!killed)
    complain(to_string(killed.error()));
}

void scenario_player::carry_out(const action::cancel&) {
  watching_.trace()->take({wall_now(), scenario_acted{"cancel", ""}});
  cancel_runs("cancelled by the scenario");
}

void scenario_player::cancel_runs(const std::string& reason) {
  if (!has_mortal_controllers(scenario_))
    return world_->nodes().cancel(reason);
  const std::lock_guard guard{apart_mutex_};
  for (const auto& one : apart_)
    one->interrupt();
}

void scenario_player::carry_out(const action::recover& a) {
  watching_.trace()->take({wall_now(), scenario_acted{a.verb, {}}});
  runs_.push_back(std::async(std::launch::async, [this] { return recover_apart(); }));
}

std::optional<ended_controller> scenario_player::run_apart(std::vector<std::string> words) {
  std::shared_ptr<controller_process> apart;
  {
    const std::lock_guard guard{apart_mutex_};
    apart = std::make_shared<controller_process>(
      world_->log("controller." + std::to_string(apart_.size() + 1)));
    apart_.push_back(apart);
  }
  auto ended = apart->run(world_->command(std::move(words)));
  if (ended)
    return std::move(*ended);
  complain(to_string(ended.error()));
  return std::nullopt;
}

std::optional<run_result> scenario_player::evacuate_apart(const action::evacuate& a) {
  const auto ended = run_apart(command_words(a));
  if (!ended)
    return std::nullopt;
  if (ended->was_killed) {
    watching_.trace()->take({wall_now(), scenario_acted{"controller_killed", a.node.value}});
    return std::nullopt;
  }
  if (a.killed_at)
    complain("the evacuation of " + a.node.value + " ended before its controller was killed");
  auto told = result_told(*ended);
  if (!told.message.empty())
    complain("the evacuation of " + a.node.value + ": " + told.message);
  return told;
}

std::optional<run_result> scenario_player::recover_apart() {
  const auto ended = run_apart({"recover"});
  if (ended && ended->exit_code != 0)
    complain(
      "drover recover ended with " + std::to_string(ended->exit_code) + ": " + ended->output);
  watching_.trace()->take({wall_now(), scenario_acted{"recovered", {}}});
  return std::nullopt;
}

void scenario_player::carry_out(const action::cut_link& a) {
  break_link(a.verb, a.node, a.span, &ssh_hosts::cut);
}

void scenario_player::carry_out(const action::half_open_link& a) {
  break_link(a.verb, a.node, a.span, &ssh_hosts::stall);
}

void scenario_player::carry_out(const action::strangers& a) {
  watching_.trace()->take({wall_now(), scenario_acted{a.verb, a.node.value}});
  heals_.push_back(std::async(std::launch::async, [this, a] {
    if (auto came = world_->send_strangers(a.node, a.span); !came)
      complain(to_string(came.error()));
  }));
}

void scenario_player::break_link(
  const char* verb, const node_id& node, milliseconds span,
  result<done> (ssh_hosts::*how)(const node_id&)) {
  auto* hosts = world_->hosts();
  if (hosts == nullptr)
    return complain(std::string{verb} + " is not possible where links are processes");
  watching_.trace()->take({wall_now(), scenario_acted{verb, node.value}});
  if (auto broken = (hosts->*how)(node); !broken)
    complain(to_string(broken.error()));
  heals_.push_back(std::async(std::launch::async, [this, hosts, node, span] {
    std::this_thread::sleep_for(span);
    if (auto healed = hosts->restore(node); !healed)
      complain(to_string(healed.error()));
  }));
}

/// Runs beside the other actions, as a command in another terminal would.
void scenario_player::depart(const departure& what, const std::optional<node_id>& cordon) {
  watching_.trace()->take(
    {wall_now(),
     scenario_acted{
       cordon ? "evacuate" : "migrate", cordon ? cordon->value : to_string(*what.only)}});
  runs_.push_back(std::async(
    std::launch::async, [this, what, cordon] { return std::optional{move(what, cordon)}; }));
}

run_result scenario_player::move(const departure& what, const std::optional<node_id>& cordon) {
  auto p = plan_of(world_->cluster(), look(), what);
  if (!p) {
    complain(to_string(p.error()));
    run_result r;
    r.code = outcome_code::usage_or_internal;
    r.message = to_string(p.error());
    return r;
  }
  note_plan(*watching_.trace(), *p, cordon, wall_now());
  if (!p->feasible)
    return result_of_infeasible(*p);
  auto& nodes = world_->nodes();
  return result_of(*p, nodes.run(order_of(*p, nodes.controller(), cordon)));
}

bool scenario_player::runs_have_ended() {
  return std::all_of(runs_.begin(), runs_.end(), [](const auto& r) {
    return r.wait_for(0s) == std::future_status::ready;
  });
}

void scenario_player::wait_for_runs(mono_time until) {
  for (auto& r : runs_) {
    const auto left = std::max(until - monotonic_now(), nanoseconds{0});
    if (r.wait_for(left) != std::future_status::ready)
      complain("a run did not end although it was cancelled");
    if (auto ended = r.get())
      ended_.push_back(std::move(*ended));
  }
}

survey scenario_player::look() {
  auto seen = survey_of(world_->nodes().call_all(wire::list_vms{}, look_deadline));
  note_survey(*watching_.trace(), seen, wall_now());
  return seen;
}

void scenario_player::check_beats() {
  std::set<vm_id> running;
  for (const auto& group : scenario_.vms)
    for (std::uint32_t i = 0; !group.paused && i < group.count; ++i)
      running.insert(vm_id{group.first.value + i});
  if (auto beats = world_->wait_for_beats(running, beats_to_end, beat_wait); !beats)
    complain(to_string(beats.error()));
}

void scenario_player::complain(std::string mishap) {
  const std::lock_guard guard{mishaps_mutex_};
  mishaps_.push_back(std::move(mishap));
}

scenario_verdict scenario_player::conclude(const std::map<std::string, std::string>& before) {
  for (const auto& heal : heals_)
    heal.wait();
  played_scenario played;
  played.result = combined(ended_);
  if (!interrupted()) {
    check_beats();
    for (const auto index : triggers_->never_due())
      complain("action " + std::to_string(index) + " was never due");
  }
  triggers_->next(monotonic_now() + trace_settles);
  played.seen = look();
  played.beats = world_->beacons().reports();
  played.intrusions = audit_->store_operations_in_pauses();
  played.operations_outside_pauses = audit_->store_operations_outside_pauses();
  played.races = audit_->races();
  played.refused = audit_->refused();
  const auto after = world_->snapshot();
  for (const auto& [file, text] : before)
    if (const auto now = after.find(file); now == after.end() || now->second != text)
      played.touched.push_back(file);
  for (const auto& [file, text] : after)
    if (!before.contains(file))
      played.touched.push_back(file);
  played.mishaps = mishaps_;
  auto wrong = judge_scenario(scenario_, played);
  if (interrupted())
    wrong.insert(wrong.begin(), "interrupted before its end");
  return {std::move(played), std::move(wrong)};
}

} // namespace drover
