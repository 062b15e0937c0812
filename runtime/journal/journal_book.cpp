#include "runtime/journal/journal_book.hpp"

#include "runtime/wire/trace_ndjson.hpp"

#include <type_traits>

namespace drover {
namespace {

/// Of which VM an event tells; 0 = of none.
vm_id vm_of(const trace_event& event) {
  return std::visit(
    [](const auto& body) {
      if constexpr (requires { body.vm; })
        return body.vm;
      else
        return vm_id{};
    },
    event.body);
}

template <class T, class... Kept>
constexpr bool is_one_of = (std::is_same_v<T, Kept> || ...);

} // namespace

journal_book::journal_book(const std::vector<journal_vm>& vms) {
  for (const auto& vm : vms)
    vms_.emplace(vm.vm, vm);
}

bool journal_book::keeps(const trace_event& event) {
  return std::visit(
    [](const auto& body) {
      return is_one_of<
        std::decay_t<decltype(body)>, link_changed, evacuation_started, evacuation_ended,
        phase_changed, permits_granted, barrier_passed, pause_mark, race_met, stream_narrowed,
        migration_ended, retried, remark>;
    },
    event.body);
}

std::vector<journal_change> journal_book::take(const trace_event& event) {
  if (!keeps(event))
    return {};
  std::vector<journal_change> changes{
    journal_event{event.at, vm_of(event), wire::to_ndjson(event)}};
  if (const auto* p = std::get_if<phase_changed>(&event.body)) {
    auto* vm = find(p->vm);
    if (vm == nullptr)
      return changes;
    vm->phase = p->to;
    vm->number = std::max(vm->number, p->number);
    vm->changed = event.at;
    changes.emplace_back(*vm);
  } else if (const auto* e = std::get_if<migration_ended>(&event.body)) {
    auto* vm = find(e->vm);
    if (vm == nullptr)
      return changes;
    vm->phase = "ended";
    vm->number = std::max(vm->number, e->number);
    vm->changed = event.at;
    vm->target = e->target;
    vm->result = e->result;
    vm->reason = e->reason;
    vm->pause_s = e->pause_s;
    vm->blackout_s = e->blackout_s;
    vm->handover_s = e->handover_s;
    vm->total_s = e->total_s;
    vm->bytes = e->bytes;
    changes.emplace_back(*vm);
  }
  return changes;
}

std::vector<journal_change> journal_book::begins(vm_id vm, wall_time now) {
  auto* found = find(vm);
  if (found == nullptr)
    return {};
  found->phase = "begun";
  found->changed = now;
  found->result.clear();
  found->reason.clear();
  return {*found};
}

journal_vm* journal_book::find(vm_id vm) {
  const auto found = vms_.find(vm);
  return found == vms_.end() ? nullptr : &found->second;
}

} // namespace drover
