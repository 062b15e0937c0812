// From what the nodes tell to one case per VM: who its two nodes are, the situation, the row that
// fits, and the request that carries out each step. Rule: pure; a node that does not answer is a
// fact of its own and never looks empty.
#pragma once

#include "actors/recovery/recovery_table.hpp"
#include "runtime/base/error.hpp"
#include "runtime/wire/message.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace drover {

/// From every node of the cluster: its parts, or why it does not answer.
struct node_inspections {
  std::map<node_id, wire::handover_parts> parts;
  std::map<node_id, std::string> silent;
};

node_inspections inspections_of(const std::map<node_id, result<wire::reply_body>>& answers);

/// What the operator says beyond what can be seen.
struct operator_words {
  std::set<node_id> fenced;
  std::set<vm_id> ran;
  std::set<vm_id> never_ran;
};

/// `invalid` where what is said and what is seen cannot both be true.
std::optional<error> objection_to(const operator_words& words, const node_inspections& seen);

struct recovery_case {
  vm_id vm;
  std::string name;
  node_id source;
  node_id target; ///< empty without a record
  situation seen;
  const recovery_row* row = nullptr; ///< never null
  std::optional<ticket> evidence;
  /// The target's, as the record publishes it.
  std::optional<wire::voided> proof;

  std::string reason() const;
  std::string missing() const;
  std::string command() const;
};

/// Of every VM that any node tells of, by vmid.
std::vector<recovery_case> recovery_cases(
  const node_inspections& seen, const operator_words& words);

/// Marks of VMs that no node has any more; none while a node is silent.
std::vector<std::pair<node_id, vm_id>> stray_marks(
  const node_inspections& seen, const operator_words& words);

/// VMs at rest that do not run although their config says `onboot: 1`.
std::vector<std::pair<node_id, vm_id>> idle_vms(const node_inspections& seen);

/// One decision on its way: its requests, one after the other.
class recovery_steps {
public:
  explicit recovery_steps(recovery_case of) : case_(std::move(of)) {}

  /// nullopt: all done, or one was refused.
  std::optional<std::pair<node_id, wire::request_body>> next() const;
  void answered(const result<wire::reply_body>& body);

  const recovery_case& whose() const { return case_; }
  /// "void_target on n2", of those that were carried out.
  const std::vector<std::string>& done_steps() const { return done_; }
  /// What ended it early, with the step; empty = nothing.
  const std::string& refused() const { return refused_; }

private:
  std::string told_step() const;
  wire::continue_source going_on() const;

  recovery_case case_;
  std::size_t at_ = 0;
  std::vector<std::string> done_;
  std::string refused_;
};

} // namespace drover
