#include "runtime/agent/leftover.hpp"

#include <algorithm>

namespace drover {

using wire::run_state;

bool runs(run_state state) { return state == run_state::running || state == run_state::paused; }

bool is_half_begun(const run_marks& marks) {
  return marks.seen > std::max({marks.begun, marks.settled, marks.run, marks.voided});
}

bool is_unheard(const run_marks& marks) {
  return marks.begun == marks.seen &&
         marks.begun > std::max({marks.settled, marks.run, marks.voided});
}

bool stands_settled(const own_part& part) {
  return runs(part.machine) && part.marks.settled > epoch{} &&
         part.marks.highest() <= part.marks.settled;
}

bool may_still_come(const run_marks& marks) {
  return marks.undone > epoch{} && marks.undone == marks.settled;
}

bool waits(const own_part& part) {
  const bool unsettled = runs(part.machine) && part.number > epoch{} &&
                         part.marks.run == part.number && part.marks.settled < part.number;
  return unsettled || part.machine == run_state::postmigrate || part.machine == run_state::incoming;
}

bool is_left_over(
  const own_part& part, const handover_record& record, const std::string& controller) {
  if (!waits(part) || record.number < part.number)
    return false;
  return record.controller != controller || record.state == record_state::settled ||
         record.number > part.number;
}

std::optional<handover_record> settled_record(const own_part& part, const vm_view& seen) {
  const auto number = part.marks.settled;
  if (!stands_settled(part) || (seen.record && seen.record->number > number))
    return std::nullopt;
  auto record = seen.record.value_or(handover_record{});
  if (record.number != number) {
    // The record of this epoch was taken back. Who runs by it owned the VM as its target, and the
    // place that the config has gone back to was its source.
    const bool came = part.marks.run == number;
    if (came && seen.owner && *seen.owner != part.here)
      record.source = *seen.owner;
    (came ? record.target : record.source) = part.here;
    record.vm = part.vm;
    record.number = number;
    record.outcome = source_outcome::unpublished;
  }
  if (record.source.value.empty() || record.target.value.empty() || record.source == record.target)
    return std::nullopt;
  return record;
}

bool is_taken_back(const ticket& t, const node_id& here, const vm_view& seen) {
  if (seen.record && seen.record->number > t.number())
    return false;
  return seen.owner != here || !seen.record || seen.record->number != t.number() ||
         seen.record->state != record_state::settled;
}

std::optional<handover_record> streamed_record(const own_part& part, epoch known) {
  if (
    part.machine != run_state::postmigrate || part.number <= known ||
    part.marks.streamed != part.number || part.marks.target.value.empty())
    return std::nullopt;
  return handover_record{
    part.vm, part.number, record_state::moving, part.here, part.marks.target, part.marks.how, {}};
}

std::optional<handover_record> begun_record(
  const own_part& part, const std::optional<handover_record>& known) {
  if (
    !runs(part.machine) || !known || part.marks.highest() <= known->number ||
    known->source != part.here || known->state != record_state::moving)
    return std::nullopt;
  auto record = *known;
  record.number = part.marks.highest();
  record.outcome = source_outcome::unpublished;
  return record;
}

bool may_have_come(const own_part& part, const std::optional<handover_record>& known) {
  return runs(part.machine) && part.marks.highest() > (known ? known->number : epoch{}) &&
         part.marks.run == part.marks.highest();
}

std::optional<handover_record> come_record(
  const own_part& part, const std::optional<handover_record>& known, const node_id& owner) {
  if (!may_have_come(part, known) || owner == part.here)
    return std::nullopt;
  return handover_record{
    part.vm, part.marks.run, record_state::moving, owner, part.here, policy::ticket, {}};
}

} // namespace drover
