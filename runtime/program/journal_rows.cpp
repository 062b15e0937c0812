#include "runtime/program/journal_rows.hpp"

namespace drover {

std::vector<journal_vm> journal_vms_of(const plan& p, wall_time now) {
  std::vector<journal_vm> vms;
  const auto add = [&](const auto& entry) -> journal_vm& {
    auto& vm = vms.emplace_back();
    vm.vm = entry.vm;
    vm.position = static_cast<std::uint32_t>(vms.size() - 1);
    vm.name = entry.name;
    vm.source = p.source;
    vm.memory_bytes = entry.bytes;
    vm.phase = "planned";
    vm.changed = now;
    return vm;
  };
  for (const auto& s : p.steps)
    add(s).target = s.target;
  for (const auto& s : p.stays) {
    auto& vm = add(s);
    vm.phase = "ended";
    vm.result = "left_out";
    vm.reason = s.reason;
  }
  return vms;
}

journal_count count_of(const std::vector<journal_vm>& vms) {
  journal_count n;
  for (const auto& vm : vms)
    ++(vm.result == "moved" ? n.moved : vm.result.empty() ? n.left : n.stayed);
  return n;
}

std::optional<distribution> pauses_of(const std::vector<journal_vm>& vms) {
  std::vector<double> pauses;
  for (const auto& vm : vms)
    if (vm.pause_s)
      pauses.push_back(*vm.pause_s);
  return distribution_of(std::move(pauses));
}

} // namespace drover
