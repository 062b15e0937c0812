#include "actors/recovery/recovery_cases.hpp"

#include <algorithm>
#include <tuple>

namespace drover {
namespace {

using wire::handover_part;
using wire::run_state;

bool runs(run_state s) { return s == run_state::running || s == run_state::paused; }

/// What all nodes tell of one VM.
struct told_vm {
  std::map<node_id, const handover_part*> parts;
};

/// The newest of the views; a settled record comes after its open one.
const wire::record_view* newest_record(const told_vm& vm) {
  const wire::record_view* best = nullptr;
  const auto rank = [](const wire::record_view& r) {
    return std::tuple{r.number, r.state == record_state::settled, r.outcome};
  };
  for (const auto& [node, part] : vm.parts)
    if (part->record && (best == nullptr || rank(*best) < rank(*part->record)))
      best = &*part->record;
  return best;
}

/// A node's own directory is what it sees best.
std::optional<node_id> owner_of(const told_vm& vm) {
  std::optional<node_id> owner;
  for (const auto& [node, part] : vm.parts) {
    if (part->owner == node)
      return node;
    if (part->owner)
      owner = part->owner;
  }
  return owner;
}

bool views_differ(const told_vm& vm) {
  const auto& first = *vm.parts.begin()->second;
  return std::any_of(vm.parts.begin(), vm.parts.end(), [&first](const auto& entry) {
    return entry.second->owner != first.owner || entry.second->record != first.record;
  });
}

record_word word_of(const wire::record_view* record) {
  if (record == nullptr)
    return record_word::none;
  const auto outcome = record->outcome;
  if (record->state == record_state::settled)
    return outcome == source_outcome::completed ? record_word::settled_at_target
                                                : record_word::settled_at_source;
  switch (outcome) {
  case source_outcome::completed:
    return record_word::open_completed;
  case source_outcome::kept:
    return record_word::open_kept;
  case source_outcome::voided:
    return record_word::open_voided;
  case source_outcome::unpublished:
    break;
  }
  return record_word::open;
}

/// Under epoch `number`; without a record it is 0.
copy_state source_copy(const handover_part& part, epoch number) {
  if (part.state == run_state::absent)
    return copy_state::absent;
  if (part.streams && part.number == number && part.state != run_state::incoming)
    return copy_state::streams;
  if (runs(part.state))
    return copy_state::runs;
  const bool complete = part.state == run_state::postmigrate && part.number == number;
  return complete ? copy_state::complete : copy_state::strange;
}

copy_state target_copy(const handover_part& part, epoch number) {
  if (part.state == run_state::absent)
    return copy_state::absent;
  if (runs(part.state))
    return copy_state::runs;
  if (part.state != run_state::incoming || part.number > number)
    return copy_state::strange;
  return part.loaded && part.number == number ? copy_state::loaded : copy_state::waits;
}

/// Without the mark of its barrier a node proves nothing.
target_mark mark_of(const handover_part& part, epoch number) {
  if (part.run >= number)
    return target_mark::ran;
  if (part.barrier != number)
    return target_mark::forgotten;
  return part.voided >= number ? target_mark::voided : target_mark::prepared;
}

other_copy other_of(const node_id& node, const handover_part& part) {
  if (part.state == run_state::absent)
    return other_copy::none;
  if (part.state == run_state::incoming || part.state == run_state::postmigrate)
    return other_copy::waits;
  return part.owner == node ? other_copy::runs : other_copy::runs_astray;
}

config_place place_of(
  const std::optional<node_id>& owner, const node_id& source, const node_id& target) {
  if (!owner)
    return config_place::nowhere;
  if (*owner == source)
    return config_place::source;
  return *owner == target ? config_place::target : config_place::elsewhere;
}

config_lock lock_of(const told_vm& vm, const std::optional<node_id>& owner) {
  const auto at = owner ? vm.parts.find(*owner) : vm.parts.end();
  if (at == vm.parts.end() || at->second->lock.empty())
    return config_lock::none;
  return at->second->lock == "migrate" ? config_lock::migrate : config_lock::foreign;
}

class examiner {
public:
  examiner(const node_inspections& seen, const operator_words& words, vm_id vm, const told_vm& told)
    : seen_(seen), words_(words), told_(told), record_(newest_record(told)),
      owner_(owner_of(told)) {
    found_.vm = vm;
  }

  recovery_case examine() {
    find_nodes();
    auto& s = found_.seen;
    s.record = word_of(record_);
    s.place = place_of(owner_, found_.source, found_.target);
    s.lock = lock_of(told_, owner_);
    s.source_reach = reach_of(found_.source);
    s.source = s.source_reach == node_reach::answers ? source_copy(part_of(found_.source), number())
                                                     : copy_state::unseen;
    if (record_ != nullptr)
      look_at_target();
    for (const auto& [node, part] : told_.parts)
      if (node != found_.source && node != found_.target)
        s.other = std::max(s.other, other_of(node, *part));
    if (words_.ran.contains(found_.vm))
      s.word = operator_word::ran;
    if (words_.never_ran.contains(found_.vm))
      s.word = operator_word::never_ran;
    if (moves())
      s.activity = handover_activity::moves;
    for (const auto& [node, part] : told_.parts) {
      if (part->evidence && part->evidence->number() == number())
        found_.evidence = part->evidence;
      if (!part->name.empty())
        found_.name = part->name;
    }
    if (record_ != nullptr && s.record == record_word::open_voided)
      found_.proof = wire::voided{record_->number, record_->target_boot_id, epoch{}};
    found_.row = &decide_recovery(s);
    return std::move(found_);
  }

private:
  epoch number() const { return record_ != nullptr ? record_->number : epoch{}; }

  void find_nodes() {
    if (record_ != nullptr) {
      found_.source = record_->source;
      found_.target = record_->target;
      return;
    }
    found_.source = owner_.value_or(told_.parts.begin()->first);
    if (owner_)
      return;
    for (const auto& [node, part] : told_.parts)
      if (part->state != run_state::absent)
        found_.source = node;
  }

  void look_at_target() {
    auto& s = found_.seen;
    s.target_reach = reach_of(found_.target);
    if (s.target_reach != node_reach::answers) {
      s.target = copy_state::unseen;
      return;
    }
    const auto& part = part_of(found_.target);
    s.target = target_copy(part, number());
    s.mark = mark_of(part, number());
  }

  node_reach reach_of(const node_id& node) const {
    if (seen_.parts.contains(node))
      return node_reach::answers;
    return words_.fenced.contains(node) ? node_reach::fenced : node_reach::silent;
  }

  /// A node that answers and tells nothing has nothing.
  const handover_part& part_of(const node_id& node) const {
    static const handover_part nothing;
    const auto found = told_.parts.find(node);
    return found == told_.parts.end() ? nothing : *found->second;
  }

  bool moves() const {
    const bool open = record_ != nullptr && record_->state == record_state::moving;
    return views_differ(told_) ||
           std::any_of(told_.parts.begin(), told_.parts.end(), [&](const auto& entry) {
             const auto& part = *entry.second;
             return part.finishing ||
                    (open && std::max({part.run, part.voided, part.seen}) > record_->number);
           });
  }

  const node_inspections& seen_;
  const operator_words& words_;
  const told_vm& told_;
  const wire::record_view* record_;
  std::optional<node_id> owner_;
  recovery_case found_;
};

std::map<vm_id, told_vm> by_vm(const node_inspections& seen) {
  std::map<vm_id, told_vm> all;
  for (const auto& [node, told] : seen.parts)
    for (const auto& part : told.parts)
      all[part.vm].parts[node] = &part;
  return all;
}

} // namespace

node_inspections inspections_of(const std::map<node_id, result<wire::reply_body>>& answers) {
  node_inspections seen;
  for (const auto& [node, answer] : answers) {
    if (!answer)
      seen.silent[node] = to_string(answer.error());
    else if (const auto* parts = std::get_if<wire::handover_parts>(&*answer))
      seen.parts[node] = *parts;
    else
      seen.silent[node] = "answered something else than its handovers";
  }
  return seen;
}

std::optional<error> objection_to(const operator_words& words, const node_inspections& seen) {
  for (const auto& node : words.fenced)
    if (seen.parts.contains(node))
      return error{
        errc::invalid, "is said to be fenced, but answers; leave --fenced out", node.value};
  for (const auto vm : words.ran)
    if (words.never_ran.contains(vm))
      return error{
        errc::invalid, "it cannot both have run and never have run there", "VM " + to_string(vm)};
  return std::nullopt;
}

std::string recovery_case::reason() const { return told(row->reason, vm, source, target); }
std::string recovery_case::missing() const { return told(row->missing, vm, source, target); }
std::string recovery_case::command() const { return told(row->command, vm, source, target); }

std::vector<recovery_case> recovery_cases(
  const node_inspections& seen, const operator_words& words) {
  std::vector<recovery_case> cases;
  for (const auto& [vm, told] : by_vm(seen))
    cases.push_back(examiner{seen, words, vm, told}.examine());
  return cases;
}

std::vector<std::pair<node_id, vm_id>> stray_marks(
  const node_inspections& seen, const operator_words& words) {
  for (const auto& [node, why] : seen.silent)
    if (!words.fenced.contains(node))
      return {};
  std::vector<std::pair<node_id, vm_id>> found;
  for (const auto& [vm, told] : by_vm(seen)) {
    const auto* record = newest_record(told);
    const bool open = record != nullptr && record->state == record_state::moving;
    const bool somewhere =
      owner_of(told) || std::any_of(told.parts.begin(), told.parts.end(), [](const auto& entry) {
        return entry.second->state != run_state::absent || entry.second->finishing;
      });
    if (open || somewhere)
      continue;
    for (const auto& [node, part] : told.parts)
      found.emplace_back(node, vm);
  }
  return found;
}

std::vector<std::pair<node_id, vm_id>> idle_vms(const node_inspections& seen) {
  std::vector<std::pair<node_id, vm_id>> found;
  for (const auto& [node, told] : seen.parts)
    for (const auto& part : told.parts)
      if (
        part.owner == node && part.onboot && part.lock.empty() && part.state == run_state::absent &&
        !(part.record && part.record->state == record_state::moving))
        found.emplace_back(node, part.vm);
  return found;
}

// -- the steps -----------------------------------------------------------------------------------

std::string recovery_steps::told_step() const {
  const auto step = case_.row->steps.at(at_);
  return std::string{to_string(step)} + " on " +
         (is_at_target(step) ? case_.target : case_.source).value;
}

wire::continue_source recovery_steps::going_on() const {
  wire::continue_source go_on{*case_.evidence, case_.proof.value_or(wire::voided{})};
  if (case_.proof)
    return go_on;
  go_on.assurance = case_.seen.word == operator_word::never_ran
                      ? "the operator says that it never ran on " + case_.target.value
                      : "its copy on " + case_.target.value + " was ended before it ran";
  return go_on;
}

std::optional<std::pair<node_id, wire::request_body>> recovery_steps::next() const {
  const auto& steps = case_.row->steps;
  if (!refused_.empty() || at_ == steps.size() || !case_.evidence)
    return std::nullopt;
  const auto& t = *case_.evidence;
  const auto step = steps[at_];
  const auto ask = [&whom = is_at_target(step) ? case_.target : case_.source](auto body) {
    return std::pair{whom, wire::request_body{std::move(body)}};
  };
  switch (step) {
  case recovery_step::cancel_stream:
    return ask(wire::cancel_stream{{t}});
  case recovery_step::void_target:
    return ask(wire::void_handover{{t}});
  case recovery_step::take_over:
    return ask(wire::take_over{{t}});
  case recovery_step::claim:
    return ask(wire::await_claim{{t}});
  case recovery_step::settle_target:
  case recovery_step::settle_source:
    return ask(wire::settle{{t}});
  case recovery_step::release_source:
    return ask(wire::release_source{{t}});
  case recovery_step::continue_source:
    return ask(going_on());
  case recovery_step::end_source_copy:
  case recovery_step::end_target_copy:
    return ask(wire::discard_copy{{t}});
  case recovery_step::close_at_target:
    return ask(wire::close_handover{{t}});
  }
  return std::nullopt;
}

void recovery_steps::answered(const result<wire::reply_body>& body) {
  if (!body) {
    refused_ = told_step() + ": " + to_string(body.error());
    return;
  }
  if (const auto* proof = std::get_if<wire::voided>(&*body))
    case_.proof = *proof;
  done_.push_back(told_step());
  ++at_;
}

} // namespace drover
