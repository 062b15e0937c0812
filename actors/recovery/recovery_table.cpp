#include "actors/recovery/recovery_table.hpp"

#include "actors/recovery/recovery_rows.hpp"
#include "runtime/base/check.hpp"

#include <algorithm>

namespace drover {

const std::vector<recovery_row>& recovery_rows() {
  static const std::vector<recovery_row> all = [] {
    std::vector<recovery_row> rows;
    for (const auto& part :
         {rows_of_quiet_vms(), rows_of_settled_records(), rows_of_open_records()})
      rows.insert(rows.end(), part.begin(), part.end());
    return rows;
  }();
  return all;
}

const recovery_row& decide_recovery(const situation& seen) {
  const auto& rows = recovery_rows();
  const auto found =
    std::find_if(rows.begin(), rows.end(), [&](const recovery_row& r) { return r.when(seen); });
  DROVER_CHECK(found != rows.end(), "every situation has a row");
  return *found;
}

std::string told(
  std::string_view sentence, vm_id vm, const node_id& source, const node_id& target) {
  std::string text{sentence};
  const auto put = [&text](std::string_view word, const std::string& name) {
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + name.size()))
      text.replace(at, word.size(), name);
  };
  put("{vm}", to_string(vm));
  put("{source}", source.value);
  put("{target}", target.value);
  return text;
}

std::string_view to_string(recovery_verdict v) {
  static constexpr std::array<std::string_view, 8> names{
    "nothing", "wait", "finish", "revert", "end_copy", "close", "leave_alone", "needs_operator"};
  return names.at(static_cast<std::size_t>(v));
}

std::string_view to_string(recovery_step s) {
  static constexpr std::array<std::string_view, 11> names{
    "cancel_stream",   "void_target",     "take_over",       "claim",
    "settle_target",   "release_source",  "continue_source", "settle_source",
    "end_source_copy", "end_target_copy", "close_at_target"};
  return names.at(static_cast<std::size_t>(s));
}

bool is_at_target(recovery_step s) {
  using enum recovery_step;
  return s == void_target || s == take_over || s == claim || s == settle_target ||
         s == end_target_copy || s == close_at_target;
}

} // namespace drover
