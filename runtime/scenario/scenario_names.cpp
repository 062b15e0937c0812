#include "runtime/scenario/scenario_parts.hpp"

#include <algorithm>
#include <charconv>

namespace drover {
namespace {

constexpr std::uint32_t first_drawn_vm = 100;

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || stop != end)
    return std::nullopt;
  return value;
}

} // namespace

bool has_node(const scenario_file& scenario, const node_id& node) {
  if (!scenario.random || !scenario.random->nodes)
    return scenario.nodes.contains(node);
  const auto number = node.value.rfind('n', 0) == 0
                        ? number_of(std::string_view{node.value}.substr(1))
                        : std::nullopt;
  return number && *number >= 1 && *number <= scenario.random->nodes->least &&
         node.value == "n" + std::to_string(*number);
}

bool has_vm(const scenario_file& scenario, vm_id vm) {
  if (scenario.random && scenario.random->vms)
    return vm.value >= first_drawn_vm && vm.value - first_drawn_vm < scenario.random->vms->least;
  return std::any_of(scenario.vms.begin(), scenario.vms.end(), [vm](const scenario_vms& group) {
    return group.holds(vm);
  });
}

std::string unknown_node(const scenario_file& scenario, const node_id& node) {
  std::string known;
  for (const auto& [name, of] : scenario.nodes)
    known += (known.empty() ? "" : ", ") + name.value;
  if (scenario.random && scenario.random->nodes)
    known = "n1 to n" + std::to_string(scenario.random->nodes->least) + " are always drawn";
  return "there is no node " + node.value + " in this scenario; nodes: " + known;
}

std::string unknown_vm(vm_id vm) { return "there is no VM " + to_string(vm) + " in this scenario"; }

milliseconds read_signed_ms(wire::object_reader& from, const std::string& key) {
  constexpr milliseconds most = std::chrono::hours{365 * 24};
  const milliseconds ms{from.optional<std::int64_t>(key, 0)};
  if (from.good() && (ms > most || ms < -most))
    from.refuse(key, "expected at most a year, forward or back");
  return ms;
}

node_id read_known_node(
  wire::object_reader& from, const std::string& key, const scenario_file& scenario) {
  node_id node{from.required<std::string>(key)};
  if (!has_node(scenario, node))
    from.refuse(key, unknown_node(scenario, node));
  return node;
}

vm_id read_known_vm(
  wire::object_reader& from, const std::string& key, const scenario_file& scenario) {
  const auto vm = from.required<vm_id>(key);
  if (!has_vm(scenario, vm))
    from.refuse(key, unknown_vm(vm));
  return vm;
}

std::optional<vm_id> vm_of_word(const std::string& word) {
  const auto number = number_of(word);
  return number ? std::optional{vm_id{*number}} : std::nullopt;
}

std::optional<policy> policy_of_word(
  wire::object_reader& from, const std::string& key, const std::string& word) {
  const auto how = policy_from_string(word);
  if (!how)
    from.refuse(key, "expected one of " + std::string(policy_names()) + ", found \"" + word + "\"");
  return how;
}

} // namespace drover
