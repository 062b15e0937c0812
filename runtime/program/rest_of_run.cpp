#include "runtime/program/rest_of_run.hpp"

namespace drover {
namespace {

struct sighting {
  node_id node;
  wire::vm_entry entry;
};

/// Where a VM's config is, and whether any node still tells of a handover.
struct whereabouts {
  std::optional<sighting> owner;
  bool is_moving = false;
};

whereabouts look_for(vm_id vm, const survey& seen) {
  whereabouts found;
  for (const auto& [node, list] : seen.lists)
    for (const auto& entry : list.vms) {
      if (entry.vm != vm)
        continue;
      found.is_moving = found.is_moving || entry.record == record_state::moving;
      if (entry.config_here)
        found.owner = sighting{node, entry};
    }
  return found;
}

migration_result result_of_row(const journal_run& run, const journal_vm& vm, verdict end) {
  migration_result m;
  m.vm = vm.vm;
  m.source = vm.source;
  m.target = vm.target;
  m.number = vm.number;
  m.how = run.how;
  m.end = end;
  m.reason = vm.reason;
  m.figures.pause_s = vm.pause_s;
  m.figures.blackout_s = vm.blackout_s;
  m.figures.handover_s = vm.handover_s;
  m.figures.bytes = vm.bytes;
  m.total_s = vm.total_s;
  return m;
}

class examiner {
public:
  examiner(const journal_run& run, const survey& seen) : run_(run), seen_(seen) {}

  rest_of_run examine(std::vector<journal_vm> vms) {
    for (auto& vm : vms)
      examine(vm);
    rest_.vms = std::move(vms);
    rest_.earlier = combined({rest_.earlier});
    return std::move(rest_);
  }

private:
  void examine(journal_vm& vm) {
    if (vm.result.empty() || vm.result == "needs_operator")
      look_at_nodes(vm);
    if (vm.result.empty())
      return;
    vm.phase = "ended";
    if (vm.result == "moved")
      return add(vm, verdict::moved, outcome_code::all_moved);
    if (vm.result == "needs_operator")
      return add(vm, verdict::needs_operator, outcome_code::needs_operator);
    if (vm.result == "stayed")
      return add(vm, verdict::stayed, outcome_code::some_stayed);
    rest_.earlier.stayed.push_back({vm.vm, vm.reason});
    if (vm.reason != "stopped") // As the plan's own exit code has it.
      worsen(outcome_code::some_stayed);
  }

  void look_at_nodes(journal_vm& vm) {
    const auto found = look_for(vm.vm, seen_);
    if (found.is_moving)
      rest_.unsettled.insert(vm.vm);
    if (!found.owner) {
      if (vm.result.empty() && !found.is_moving)
        vm.result = "stayed", vm.reason = "no node shows it any more";
      return;
    }
    if (found.owner->node == vm.source) {
      if (vm.result.empty()) {
        rest_.to_move.insert(vm.vm);
        rest_.targets.emplace(vm.vm, vm.target);
      }
      return;
    }
    if (found.is_moving)
      return;
    vm.target = found.owner->node;
    vm.result = "moved";
    vm.reason.clear();
  }

  void add(const journal_vm& vm, verdict end, outcome_code code) {
    rest_.earlier.migrations.push_back(result_of_row(run_, vm, end));
    if (end == verdict::moved)
      ++rest_.earlier.moved;
    else
      rest_.earlier.stayed.push_back({vm.vm, vm.reason});
    worsen(code);
  }

  void worsen(outcome_code code) {
    run_result one;
    one.code = code;
    rest_.earlier.code = combined({rest_.earlier, one}).code;
  }

  const journal_run& run_;
  const survey& seen_;
  rest_of_run rest_;
};

} // namespace

rest_of_run without_unsettled(const journal_run& run, rest_of_run rest, const survey& seen) {
  for (auto& vm : rest.vms)
    if (vm.result.empty() && !rest.to_move.contains(vm.vm)) {
      vm.result = "needs_operator";
      vm.reason = "its last handover has not come to an end, see drover status";
    }
  return rest_of(run, std::move(rest.vms), seen);
}

rest_of_run rest_of(const journal_run& run, std::vector<journal_vm> vms, const survey& seen) {
  return examiner{run, seen}.examine(std::move(vms));
}

} // namespace drover
