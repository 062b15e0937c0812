#include "runtime/cluster/checked_values.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace drover {
namespace {

constexpr std::uint32_t delay_ms_max = 24 * 3600 * 1000;
constexpr int exit_code_max = 6;

policy read_policy(wire::object_reader& from) {
  const auto text = from.optional<std::string>("policy", std::string(to_string(policy::ticket)));
  const auto how = policy_from_string(text);
  if (!how)
    from.refuse(
      "policy", "expected one of " + std::string(policy_names()) + ", found \"" + text + "\"");
  return how.value_or(policy::ticket);
}

action::any read_evacuate(wire::object_reader& from, const scenario_file& scenario) {
  action::evacuate what;
  what.node = read_known_node(from, "evacuate", scenario);
  for (const auto& target : from.optional("to", std::vector<std::string>{})) {
    const node_id node{target};
    if (!scenario.nodes.contains(node))
      from.refuse("to", unknown_node(scenario, node));
    if (node == what.node)
      from.refuse("to", "a node cannot be evacuated to itself");
    what.targets.insert(node);
  }
  what.how = read_policy(from);
  return what;
}

action::any read_migrate(wire::object_reader& from, const scenario_file& scenario) {
  action::migrate what;
  what.vm = read_known_vm(from, "migrate", scenario);
  what.target = read_known_node(from, "to", scenario);
  what.how = read_policy(from);
  return what;
}

action::any read_kill_target(wire::object_reader& from, const scenario_file& scenario) {
  return action::kill_target_qemu{read_known_vm(from, "kill_target_qemu", scenario)};
}

action::any read_kill_agent(wire::object_reader& from, const scenario_file& scenario) {
  return action::kill_agent{read_known_node(from, "kill_agent", scenario)};
}

action::any read_cancel(wire::object_reader& from, const scenario_file&) {
  if (!from.required<bool>("cancel"))
    from.refuse("cancel", "expected true");
  return action::cancel{};
}

using verb_reader = action::any (*)(wire::object_reader&, const scenario_file&);

/// Exactly one of these fields says what an action does.
constexpr std::array<std::pair<const char*, verb_reader>, 5> verbs{{
  {"evacuate", read_evacuate},
  {"migrate", read_migrate},
  {"kill_target_qemu", read_kill_target},
  {"kill_agent", read_kill_agent},
  {"cancel", read_cancel},
}};

void read_verb(wire::object_reader& from, const scenario_file& scenario, scenario_action& action) {
  std::string known;
  const std::pair<const char*, verb_reader>* found = nullptr;
  for (const auto& verb : verbs) {
    known += (known.empty() ? "" : ", ") + std::string(verb.first);
    if (!from.look(verb.first))
      continue;
    if (found)
      from.refuse(
        verb.first,
        "an action does one thing, and this one does " + std::string(found->first) + " already");
    found = &verb;
  }
  if (found)
    action.what = found->second(from, scenario);
  else
    from.refuse("", "an action needs one of " + known);
}

void read_time(wire::object_reader& from, const scenario_file& scenario, scenario_action& action) {
  const bool has_condition = from.look("when") != nullptr;
  if (has_condition && from.look("at_ms"))
    from.refuse("at_ms", "an action has a time or a condition; after a condition: after_ms");
  if (!has_condition && from.look("after_ms"))
    from.refuse("after_ms", "belongs to a condition (when); without one: at_ms");
  action.after =
    milliseconds{read_number(from, has_condition ? "after_ms" : "at_ms", 0, 0, delay_ms_max)};
  if (!has_condition)
    return;
  auto when = from.object("when");
  action.when = read_event_condition(when);
  if (const auto vm = action.when->fields.find("vm"); vm != action.when->fields.end())
    read_known_vm(when, "vm", scenario);
  if (const auto node = action.when->fields.find("node"); node != action.when->fields.end())
    read_known_node(when, "node", scenario);
  when.refuse_unknown();
}

bool starts_something(const scenario_action& action) {
  return std::holds_alternative<action::evacuate>(action.what) ||
         std::holds_alternative<action::migrate>(action.what);
}

void read_exit_codes(wire::object_reader& from, scenario_expect& expect) {
  const auto* field = from.look("exit_code");
  if (field && field->is_array()) {
    for (const int code : from.required<std::vector<int>>("exit_code"))
      expect.exit_codes.insert(code);
  } else {
    expect.exit_codes.insert(from.required<int>("exit_code"));
  }
  for (const int code : expect.exit_codes)
    if (code < 0 || code > exit_code_max)
      from.refuse("exit_code", "expected 0 to 6, found " + std::to_string(code));
  if (expect.exit_codes.empty())
    from.refuse("exit_code", "expected at least one code");
}

void read_stays(wire::object_reader& from, const scenario_file& scenario, scenario_expect& expect) {
  if (!from.look("stayed"))
    return;
  auto& stays = expect.stayed.emplace();
  from.each("stayed", [&](wire::object_reader& stay, std::size_t) {
    const auto vm = read_known_vm(stay, "vm", scenario);
    stays.push_back({vm, stay.optional<std::string>("reason_contains", "")});
  });
}

/// "105" as a field's name.
std::optional<vm_id> vm_of(const std::string& text) {
  std::uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || stop != end)
    return std::nullopt;
  return vm_id{value};
}

void read_places(
  wire::object_reader& from, const scenario_file& scenario, scenario_expect& expect) {
  using names = std::map<std::string, std::string>;
  for (const auto& [key, node] : from.optional("on_node", names{})) {
    const auto vm = vm_of(key);
    if (!vm || !has_vm(scenario, *vm))
      from.refuse("on_node", "there is no VM " + key + " in this scenario");
    else if (!scenario.nodes.contains(node_id{node}))
      from.refuse("on_node", unknown_node(scenario, node_id{node}));
    else
      expect.on_node.emplace(*vm, node_id{node});
  }
  using counts = std::map<std::string, std::uint32_t>;
  for (const auto& [node, count] : from.optional("vms_on", counts{})) {
    if (!scenario.nodes.contains(node_id{node}))
      from.refuse("vms_on", unknown_node(scenario, node_id{node}));
    expect.vms_on.emplace(node_id{node}, count);
  }
}

} // namespace

bool has_vm(const scenario_file& scenario, vm_id vm) {
  return std::any_of(scenario.vms.begin(), scenario.vms.end(), [vm](const scenario_vms& group) {
    return group.holds(vm);
  });
}

std::string unknown_node(const scenario_file& scenario, const node_id& node) {
  std::string known;
  for (const auto& [name, of] : scenario.nodes)
    known += (known.empty() ? "" : ", ") + name.value;
  return "there is no node " + node.value + " in this scenario; nodes: " + known;
}

std::string unknown_vm(vm_id vm) { return "there is no VM " + to_string(vm) + " in this scenario"; }

node_id read_known_node(
  wire::object_reader& from, const std::string& key, const scenario_file& scenario) {
  node_id node{from.required<std::string>(key)};
  if (!scenario.nodes.contains(node))
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

void read_scenario_actions(wire::object_reader& root, scenario_file& scenario) {
  root.each("actions", [&](wire::object_reader& from, std::size_t) {
    scenario_action action;
    read_time(from, scenario, action);
    read_verb(from, scenario, action);
    scenario.actions.push_back(std::move(action));
  });
  if (
    root.good() && std::none_of(scenario.actions.begin(), scenario.actions.end(), starts_something))
    root.refuse("actions", "a scenario evacuates or migrates something");
}

void read_scenario_expect(wire::object_reader& root, scenario_file& scenario) {
  auto from = root.object("expect");
  auto& expect = scenario.expect;
  read_exit_codes(from, expect);
  if (from.look("result"))
    expect.result = read_word(
      from, "result", "",
      {"all_moved", "some_stayed", "infeasible", "cancelled", "deadline_passed", "needs_operator",
       "error"});
  if (from.look("moved"))
    expect.moved = from.required<std::uint32_t>("moved");
  read_stays(from, scenario, expect);
  expect.beats_lost = from.optional("beats_lost", expect.beats_lost);
  expect.beats_doubled = from.optional("beats_doubled", expect.beats_doubled);
  if (from.look("duration_s_max"))
    expect.duration_s_max = from.required<double>("duration_s_max");
  if (from.look("store_operations_in_pause_max"))
    expect.store_operations_in_pause_max =
      from.required<std::uint32_t>("store_operations_in_pause_max");
  expect.untouched = from.optional("untouched", false);
  read_places(from, scenario, expect);
  from.refuse_unknown();
}

} // namespace drover
