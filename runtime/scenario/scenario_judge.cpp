#include "runtime/scenario/scenario_judge.hpp"

#include "runtime/program/unfinished.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace drover {
namespace {

class scenario_judge {
public:
  scenario_judge(const scenario_file& scenario, const played_scenario& played)
    : scenario_(scenario), expect_(scenario.expect), played_(played),
      stuck_(stuck_vms(scenario, played)) {}

  std::vector<std::string> judge() {
    wrong_ = played_.mishaps;
    for (const auto& group : scenario_.vms)
      for (std::uint32_t i = 0; i < group.count; ++i)
        if (const vm_id vm{group.first.value + i}; is_judged(vm))
          judge_vm(vm, group.paused);
    for (const auto& u : unfinished_of(played_.seen.lists))
      if (is_judged(u.vm))
        say("VM {}: {}", u.vm.value, u.what);
    judge_beats();
    judge_result();
    judge_counts();
    judge_pauses();
    judge_store();
    judge_stays();
    judge_places();
    return std::move(wrong_);
  }

private:
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    wrong_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  /// A VM that is expected to be stuck is nowhere as it should be.
  bool is_judged(vm_id vm) const {
    return !played_.excused.contains(vm) && (expect_.stuck == 0 || !stuck_.contains(vm));
  }

  /// On exactly one node, in its former state, owned there, without a lock.
  void judge_vm(vm_id vm, bool paused) {
    const auto wanted = paused ? wire::run_state::paused : wire::run_state::running;
    std::vector<std::string> there;
    for (const auto& [node, list] : played_.seen.lists)
      for (const auto& e : list.vms) {
        if (e.vm != vm || e.state == wire::run_state::absent)
          continue;
        there.push_back(node.value);
        if (e.state != wanted)
          say("VM {} is {} on {}", vm.value, to_string(e.state), node.value);
        if (!e.config_here)
          say("VM {} is on {}, but its config is not", vm.value, node.value);
        if (!e.lock.empty())
          say("VM {} is locked: {}", vm.value, e.lock);
      }
    if (there.size() != 1)
      say("VM {} is on {} nodes: {}", vm.value, there.size(), fmt::join(there, ", "));
  }

  void judge_beats() {
    std::uint64_t lost = 0;
    std::uint64_t doubled = 0;
    for (const auto& [vm, report] : played_.beats) {
      lost += report.lost;
      doubled += report.repeated + report.overlapped;
      if (report.restarted > 0)
        say("VM {} was restarted", vm.value);
      if (!(report.flags == beacon_flags{}))
        say("VM {} found stale memory or a bad disk: {}", vm.value, to_string(report));
    }
    if (lost > expect_.beats_lost)
      say("{} beats were lost, {} expected at most", lost, expect_.beats_lost);
    if (doubled > expect_.beats_doubled)
      say("{} beats were doubled, {} expected at most", doubled, expect_.beats_doubled);
  }

  void judge_result() {
    const auto& r = played_.result;
    const int code = static_cast<int>(r.code);
    if (!expect_.exit_codes.empty() && !expect_.exit_codes.contains(code))
      say("the exit code is {}, expected {}", code, fmt::join(expect_.exit_codes, " or "));
    if (expect_.result && *expect_.result != to_string(r.code))
      say("the result is {}, expected {}", to_string(r.code), *expect_.result);
    if (expect_.moved && *expect_.moved != r.moved)
      say("{} VMs moved, expected {}", r.moved, *expect_.moved);
    if (expect_.duration_s_max && r.duration_s > *expect_.duration_s_max)
      say("it took {:.1f} s, expected at most {:.1f} s", r.duration_s, *expect_.duration_s_max);
    if (expect_.untouched)
      for (const auto& t : played_.touched)
        say("something was touched: {}", t);
  }

  void judge_counts() {
    for (const auto& v : played_.violations)
      if (played_.violations.size() != expect_.violations)
        say("violation: {}", v);
    if (played_.violations.size() != expect_.violations && expect_.violations > 0)
      say("{} violations, expected {}", played_.violations.size(), expect_.violations);
    if (stuck_.size() != expect_.stuck) {
      std::vector<std::string> which;
      for (const auto& [vm, node] : stuck_)
        which.push_back(fmt::format("{} on {}", vm.value, node.value));
      say(
        "{} VMs are left paused, expected {}{}{}", stuck_.size(), expect_.stuck,
        which.empty() ? "" : ": ", fmt::join(which, ", "));
    }
    if (expect_.races && *expect_.races != played_.races)
      say("{} races, expected {}", played_.races, *expect_.races);
    if (expect_.races_min && played_.races < *expect_.races_min)
      say("{} races, expected {} at least", played_.races, *expect_.races_min);
  }

  void judge_pauses() {
    judge_pause("p50", &distribution::p50, expect_.pause_p50_ms_max);
    judge_pause("p99", &distribution::p99, expect_.pause_p99_ms_max);
    judge_pause("longest", &distribution::max, expect_.pause_max_ms);
    const auto unknown = static_cast<std::uint32_t>(std::count_if(
      played_.result.migrations.begin(), played_.result.migrations.end(),
      [](const auto& m) { return m.end == verdict::moved && !m.figures.pause_unknown.empty(); }));
    if (expect_.pauses_unknown && *expect_.pauses_unknown != unknown)
      say("of {} pauses no figure is told, expected {}", unknown, *expect_.pauses_unknown);
  }

  void judge_pause(
    std::string_view name, double distribution::*figure, const std::optional<double>& most_ms) {
    if (!most_ms)
      return;
    if (!played_.result.pause)
      return say("no pause was measured, expected a {} of at most {:.1f} ms", name, *most_ms);
    const double found_ms = (*played_.result.pause).*figure * 1000;
    if (found_ms > *most_ms)
      say("the {} pause is {:.1f} ms, expected at most {:.1f} ms", name, found_ms, *most_ms);
  }

  /// Only of VMs that moved under `ticket`: it alone promises a pause without the store.
  void judge_store() {
    if (!expect_.store_operations_in_pause_max)
      return;
    std::vector<pause_audit::intrusion> counted;
    for (const auto& i : played_.intrusions)
      if (std::any_of(
            played_.result.migrations.begin(), played_.result.migrations.end(),
            [&](const auto& m) { return m.vm == i.vm && m.how == policy::ticket; }))
        counted.push_back(i);
    if (counted.size() > *expect_.store_operations_in_pause_max)
      say(
        "{} store operations inside pauses, expected at most {}; the first: {} of VM {} on {}",
        counted.size(), *expect_.store_operations_in_pause_max, counted.front().operation,
        counted.front().vm.value, counted.front().node.value);
  }

  void judge_stays() {
    if (!expect_.stayed)
      return;
    for (const auto& s : played_.result.stayed) {
      const auto wanted =
        std::find_if(expect_.stayed->begin(), expect_.stayed->end(), [&](const auto& e) {
          return e.vm == s.vm;
        });
      if (wanted == expect_.stayed->end())
        say("VM {} stayed unexpectedly: {}", s.vm.value, s.reason);
      else if (s.reason.find(wanted->reason_contains) == std::string::npos)
        say(
          "VM {} stayed because \"{}\", expected a reason with \"{}\"", s.vm.value, s.reason,
          wanted->reason_contains);
    }
    for (const auto& e : *expect_.stayed)
      if (std::none_of(
            played_.result.stayed.begin(), played_.result.stayed.end(),
            [&](const auto& s) { return s.vm == e.vm; }))
        say("VM {} did not stay", e.vm.value);
  }

  void judge_places() {
    for (const auto& [vm, node] : expect_.on_node)
      if (const auto there = node_of(played_.seen, vm); there != node)
        say("VM {} is on {}, expected {}", vm.value, there ? there->value : "no node", node.value);
    for (const auto& [node, count] : expect_.vms_on) {
      std::uint32_t running = 0;
      if (const auto list = played_.seen.lists.find(node); list != played_.seen.lists.end())
        for (const auto& e : list->second.vms)
          running += e.state == wire::run_state::absent ? 0U : 1U;
      if (running != count)
        say("{} VMs run on {}, expected {}", running, node.value, count);
    }
  }

  const scenario_file& scenario_;
  const scenario_expect& expect_;
  const played_scenario& played_;
  const std::map<vm_id, node_id> stuck_;
  std::vector<std::string> wrong_;
};

} // namespace

std::map<vm_id, node_id> stuck_vms(const scenario_file& scenario, const played_scenario& played) {
  std::map<vm_id, node_id> stuck;
  std::set<vm_id> running;
  for (const auto& [node, list] : played.seen.lists)
    for (const auto& e : list.vms) {
      if (e.state == wire::run_state::running)
        running.insert(e.vm);
      else if (e.state != wire::run_state::absent)
        stuck.insert_or_assign(e.vm, node);
    }
  std::erase_if(stuck, [&](const auto& one) {
    const auto vm = one.first;
    const bool excused = played.excused.contains(vm) && !played.refused.contains(vm);
    return running.contains(vm) || excused ||
           std::any_of(scenario.vms.begin(), scenario.vms.end(), [vm](const scenario_vms& group) {
             return group.paused && group.holds(vm);
           });
  });
  return stuck;
}

std::vector<std::string> judge_scenario(
  const scenario_file& scenario, const played_scenario& played) {
  return scenario_judge{scenario, played}.judge();
}

} // namespace drover
