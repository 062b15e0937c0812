// A recovery as a whole: look, act, look again, until all is at rest or told. Rule: pure; it never
// acts on anything but the last look, and gives up on a VM rather than turn in a circle.
#pragma once

#include "actors/recovery/recovery_cases.hpp"
#include "runtime/base/time.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace drover {

enum class recovery_mode : std::uint8_t { act, dry_run };

/// What was done to a VM in one round.
struct recovery_action {
  vm_id vm;
  recovery_verdict verdict = recovery_verdict::nothing;
  std::string reason;
  std::vector<std::string> steps;
  std::string refused; ///< empty = nothing was
};

struct recovery_report {
  std::vector<recovery_action> actions; ///< in the order of the rounds
  std::vector<recovery_case> last;      ///< as it was seen last
  std::map<node_id, std::string> silent;
  /// Marks of VMs that no node has, and those of them that the last look still saw.
  std::vector<std::pair<node_id, vm_id>> stray;
  std::vector<std::pair<node_id, vm_id>> stray_left;
  std::vector<std::pair<node_id, vm_id>> idle;
  /// Of any round: what streams have left in the nodes' run directories, by name.
  std::map<node_id, std::set<std::string>> litter;
  operator_words words;
  recovery_mode mode = recovery_mode::act;
  std::string objection; ///< why nothing was done; empty = none
};

class recovery_rounds {
public:
  recovery_rounds(operator_words words, recovery_mode mode, mono_time now);

  struct next_round {
    std::vector<recovery_steps> steps;                          ///< to be carried out side by side
    std::vector<std::pair<node_id, wire::request_body>> chores; ///< whose answer nobody needs
    nanoseconds pause{0};                                       ///< before the next look
    bool over = false;                                          ///< no further look
  };

  next_round looked(const node_inspections& seen, mono_time now);
  void carried_out(const std::vector<recovery_steps>& steps);
  const recovery_report& report() const { return report_; }

private:
  /// What a VM looked like, and since when.
  struct look {
    situation seen;
    mono_time since;
  };

  void stop_waiting_in_vain(recovery_case& of, mono_time now);
  bool may_still_act(const recovery_case& of);

  recovery_report report_;
  mono_time until_;
  mono_time heard_until_; ///< silent nodes are waited for until then
  std::map<vm_id, int> rounds_;
  std::map<vm_id, look> looks_;
  bool swept_ = false;
};

/// 0 all at rest, 1 an objection, 2 something is left alone or a node is silent, 5 an agent is
/// still at work, 6 an operator is needed.
int exit_code(const recovery_report& report);

} // namespace drover
