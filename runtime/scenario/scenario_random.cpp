#include "runtime/scenario/scenario_random.hpp"

#include <array>
#include <utility>

namespace drover {
namespace {

constexpr std::array<std::pair<fault_kind, std::string_view>, 25> names{{
  {fault_kind::restart_controller, "restart_controller"},
  {fault_kind::kill_target_qemu, "kill_target_qemu"},
  {fault_kind::kill_source_qemu, "kill_source_qemu"},
  {fault_kind::kill_agent, "kill_agent"},
  {fault_kind::kill_node, "kill_node"},
  {fault_kind::slow_node, "slow_node"},
  {fault_kind::cut_link, "cut_link"},
  {fault_kind::half_open_link, "half_open_link"},
  {fault_kind::slow_link, "slow_link"},
  {fault_kind::duplicate_lines, "duplicate_lines"},
  {fault_kind::lag, "lag"},
  {fault_kind::hang_store, "hang_store"},
  {fault_kind::lose_quorum, "lose_quorum"},
  {fault_kind::change_membership, "change_membership"},
  {fault_kind::cut_store, "cut_store"},
  {fault_kind::roll_back_store, "roll_back_store"},
  {fault_kind::remove_lock, "remove_lock"},
  {fault_kind::fail_writes, "fail_writes"},
  {fault_kind::fail_marks, "fail_marks"},
  {fault_kind::refuse_receive, "refuse_receive"},
  {fault_kind::lose_acknowledgement, "lose_acknowledgement"},
  {fault_kind::cut_streams, "cut_streams"},
  {fault_kind::stall_streams, "stall_streams"},
  {fault_kind::cancel, "cancel"},
  {fault_kind::clock_jump, "clock_jump"},
}};

} // namespace

const std::vector<fault_kind>& all_fault_kinds() {
  static const auto all = [] {
    std::vector<fault_kind> kinds;
    for (const auto& [kind, name] : names)
      kinds.push_back(kind);
    return kinds;
  }();
  return all;
}

std::string_view to_string(fault_kind kind) {
  for (const auto& [k, name] : names)
    if (k == kind)
      return name;
  return "unknown";
}

std::optional<fault_kind> fault_kind_from_string(std::string_view text) {
  for (const auto& [kind, name] : names)
    if (name == text)
      return kind;
  return std::nullopt;
}

} // namespace drover
