#include "runtime/store/store_checks.hpp"

#include <algorithm>
#include <cctype>

namespace drover {
namespace {

/// A pmxcfs refuses larger files; the others do the same, so that they can become one.
constexpr std::size_t longest_file = std::size_t{1} << 20;

} // namespace

bool is_node_name(const node_id& node) {
  const auto& name = node.value;
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= 255 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), fits);
}

bool is_lock_name(std::string_view name) {
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':' || c == '@';
  };
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string config_objection(vm_id vm, const node_id& node, std::string_view text) {
  if (vm.value < 100 || vm.value > 999999999)
    return "a VM's number is from 100 to 999999999";
  if (!is_node_name(node))
    return "a node's name has letters, digits, '-', '_' and '.'";
  if (text.empty())
    return "an empty file is no config";
  return text.size() > longest_file ? "it is larger than 1 MiB" : "";
}

bool may_follow(const handover_record& next, const handover_record& present) {
  if (next.number != present.number)
    return next.number > present.number;
  return next.source == present.source && next.target == present.target;
}

std::string held_by(const std::string& holder) {
  return holder.empty() ? "it is held by somebody unknown" : "it is held by " + holder;
}

} // namespace drover
