#include "runtime/cluster/checked_values.hpp"
#include "runtime/cluster/delay_text.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace drover {
namespace {

constexpr std::uint32_t span_ms_max = 24 * 3600 * 1000;
constexpr std::uint32_t count_max = 1000000;
constexpr std::uint32_t times_max = 1000;

policy read_policy(wire::object_reader& from) {
  const auto word = from.optional<std::string>("policy", std::string(to_string(policy::ticket)));
  return policy_of_word(from, "policy", word).value_or(policy::ticket);
}

milliseconds read_span(wire::object_reader& from) {
  if (!from.look("for_ms"))
    from.refuse("for_ms", "is missing: how long it lasts, in milliseconds");
  return milliseconds{read_number(from, "for_ms", 1, 1, span_ms_max)};
}

delay_range read_needed_delay(wire::object_reader& from, const std::string& key) {
  if (!from.look(key))
    from.refuse(key, "is missing: a time like \"100ms\", or an object with least and most");
  return read_delay(from, key, {});
}

void read_death(wire::object_reader& from, const scenario_file& scenario, action::evacuate& what) {
  if (!from.look("killed_at")) {
    if (from.look("killed_agents"))
      from.refuse("killed_agents", "die with the controller, and killed_at is missing");
    return;
  }
  auto when = from.object("killed_at");
  what.killed_at = read_event_condition(when);
  when.refuse_unknown();
  for (const auto& name : from.optional("killed_agents", std::vector<std::string>{})) {
    if (!has_node(scenario, node_id{name}))
      from.refuse("killed_agents", unknown_node(scenario, node_id{name}));
    what.killed_agents.insert(node_id{name});
  }
}

action::any read_evacuate(wire::object_reader& from, const scenario_file& scenario) {
  action::evacuate what;
  what.node = read_known_node(from, "evacuate", scenario);
  for (const auto& target : from.optional("to", std::vector<std::string>{})) {
    const node_id node{target};
    if (!has_node(scenario, node))
      from.refuse("to", unknown_node(scenario, node));
    if (node == what.node)
      from.refuse("to", "a node cannot be evacuated to itself");
    what.targets.insert(node);
  }
  what.how = read_policy(from);
  read_death(from, scenario, what);
  return what;
}

action::any read_migrate(wire::object_reader& from, const scenario_file& scenario) {
  action::migrate what;
  what.vm = read_known_vm(from, "migrate", scenario);
  what.target = read_known_node(from, "to", scenario);
  what.how = read_policy(from);
  return what;
}

/// `"cancel": true`: nothing more can be said about it.
template <class Action>
action::any read_flag(wire::object_reader& from, const scenario_file&) {
  if (!from.required<bool>(Action::verb))
    from.refuse(Action::verb, "expected true");
  return Action{};
}

template <class Action>
action::any read_of_node(wire::object_reader& from, const scenario_file& scenario) {
  return Action{read_known_node(from, Action::verb, scenario)};
}

template <class Action>
action::any read_of_vm(wire::object_reader& from, const scenario_file& scenario) {
  return Action{read_known_vm(from, Action::verb, scenario)};
}

template <class Action>
action::any read_span_of_node(wire::object_reader& from, const scenario_file& scenario) {
  Action what;
  what.node = read_known_node(from, Action::verb, scenario);
  what.span = read_span(from);
  return what;
}

template <class Action>
action::any read_count_of_node(wire::object_reader& from, const scenario_file& scenario) {
  Action what;
  what.node = read_known_node(from, Action::verb, scenario);
  what.count = read_number(from, "count", 1, 1, count_max);
  return what;
}

action::any read_slow_node(wire::object_reader& from, const scenario_file& scenario) {
  action::slow_node what;
  what.node = read_known_node(from, "slow_node", scenario);
  if (!from.look("times"))
    from.refuse("times", "is missing: how many times slower");
  what.times = read_number(from, "times", 2, 2, times_max);
  what.span = milliseconds{read_number(from, "for_ms", 0, 0, span_ms_max)};
  return what;
}

action::any read_slow_link(wire::object_reader& from, const scenario_file& scenario) {
  action::slow_link what;
  what.node = read_known_node(from, "slow_link", scenario);
  what.latency = read_needed_delay(from, "latency");
  what.span = read_span(from);
  return what;
}

action::any read_lag(wire::object_reader& from, const scenario_file& scenario) {
  action::lag what;
  what.node = read_known_node(from, "lag", scenario);
  what.delay = read_needed_delay(from, "delay");
  what.span = read_span(from);
  return what;
}

action::any read_hang_store(wire::object_reader& from, const scenario_file&) {
  return action::hang_store{milliseconds{read_number(from, "hang_store_ms", 1, 1, span_ms_max)}};
}

action::any read_lose_quorum(wire::object_reader& from, const scenario_file& scenario) {
  action::lose_quorum what;
  if (from.required<std::string>("lose_quorum") != "all")
    what.node = read_known_node(from, "lose_quorum", scenario);
  what.span = read_span(from);
  return what;
}

action::any read_change_membership(wire::object_reader& from, const scenario_file& scenario) {
  read_flag<action::change_membership>(from, scenario);
  action::change_membership what;
  what.span = read_span(from);
  what.applied_percent = read_number(from, "applied_percent", 0, 0, 100);
  return what;
}

action::any read_cut_store(wire::object_reader& from, const scenario_file& scenario) {
  action::cut_store what;
  what.node = read_known_node(from, "cut_store", scenario);
  what.span = read_span(from);
  if (read_word(from, "heal", "kept", {"kept", "rolled_back"}) == "rolled_back")
    what.heal = action::store_heal::rolled_back;
  return what;
}

action::any read_remove_lock(wire::object_reader& from, const scenario_file&) {
  action::remove_lock what{from.required<std::string>("remove_lock")};
  if (from.good() && what.lock.empty())
    from.refuse("remove_lock", "expected a lock's name");
  what.taken_by = from.optional<std::string>("taken_by", {});
  return what;
}

action::any read_clock_jump(wire::object_reader& from, const scenario_file& scenario) {
  action::clock_jump what;
  what.node = read_known_node(from, "clock_jump", scenario);
  what.by = read_signed_ms(from, "by_ms");
  if (from.good() && what.by.count() == 0)
    from.refuse("by_ms", "is missing: how far the clock is set forward, or back (negative)");
  return what;
}

struct verb_reader {
  const char* field;
  action::any (*read)(wire::object_reader&, const scenario_file&);
};

/// Exactly one of these fields says what an action does.
constexpr std::array<verb_reader, std::variant_size_v<action::any>> verbs{{
  {"evacuate", read_evacuate},
  {"migrate", read_migrate},
  {"cancel", read_flag<action::cancel>},
  {"recover", read_flag<action::recover>},
  {"restart_controller", read_flag<action::restart_controller>},
  {"kill_target_qemu", read_of_vm<action::kill_target_qemu>},
  {"kill_source_qemu", read_of_vm<action::kill_source_qemu>},
  {"kill_agent", read_of_node<action::kill_agent>},
  {"kill_node", read_of_node<action::kill_node>},
  {"boot_node", read_of_node<action::boot_node>},
  {"slow_node", read_slow_node},
  {"cut_link", read_span_of_node<action::cut_link>},
  {"half_open_link", read_span_of_node<action::half_open_link>},
  {"slow_link", read_slow_link},
  {"duplicate_lines", read_span_of_node<action::duplicate_lines>},
  {"lag", read_lag},
  {"hang_store_ms", read_hang_store},
  {"lose_quorum", read_lose_quorum},
  {"change_membership", read_change_membership},
  {"cut_store", read_cut_store},
  {"remove_lock", read_remove_lock},
  {"fail_writes", read_count_of_node<action::fail_writes>},
  {"fail_marks", read_count_of_node<action::fail_marks>},
  {"refuse_receive", read_count_of_node<action::refuse_receive>},
  {"lose_acknowledgement", read_of_vm<action::lose_acknowledgement>},
  {"cut_streams", read_of_node<action::cut_streams>},
  {"stall_streams", read_span_of_node<action::stall_streams>},
  {"strangers", read_span_of_node<action::strangers>},
  {"clock_jump", read_clock_jump},
}};

/// What the local world can do to links that are real logins.
bool is_over_ssh(const action::any& what) {
  return std::holds_alternative<action::cut_link>(what) ||
         std::holds_alternative<action::half_open_link>(what);
}

/// Only a simulated world tells these.
bool is_of_sim(const std::string& event) {
  return event == message_carried::name || event == machine_changed::name ||
         event == view_changed::name;
}

/// A controller that is killed is a process of its own, on a plain cluster.
void check_death(
  wire::object_reader& from, scenario_file& scenario, const action::any& what, const char* field) {
  const bool kills = kills_controller(what);
  if (!kills && !std::holds_alternative<action::recover>(what))
    return;
  if (scenario.link == link_kind::ssh)
    from.refuse(field, "a controller is killed only where links are processes");
  if (is_lagging(scenario))
    mark_sim_only(scenario, from, field);
  if (kills && is_of_sim(std::get<action::evacuate>(what).killed_at->event))
    mark_sim_only(scenario, from, "killed_at");
}

void read_verb(wire::object_reader& from, scenario_file& scenario, scenario_action& action) {
  std::string known;
  const verb_reader* found = nullptr;
  for (const auto& verb : verbs) {
    known += (known.empty() ? "" : ", ") + std::string(verb.field);
    if (!from.look(verb.field))
      continue;
    if (found)
      from.refuse(
        verb.field,
        "an action does one thing, and this one does " + std::string(found->field) + " already");
    found = &verb;
  }
  if (!found)
    return from.refuse("", "an action needs one of " + known);
  action.what = found->read(from, scenario);
  if (!is_local(action.what) && !(scenario.link == link_kind::ssh && is_over_ssh(action.what)))
    mark_sim_only(scenario, from, found->field);
  check_death(from, scenario, action.what, found->field);
}

void read_condition(wire::object_reader& from, scenario_file& scenario, scenario_action& action) {
  auto when = from.object("when");
  action.when = read_event_condition(when);
  const auto& fields = action.when->fields;
  if (fields.contains("vm"))
    read_known_vm(when, "vm", scenario);
  for (const auto* key : {"node", "owner", "source", "target"})
    if (fields.contains(key))
      read_known_node(when, key, scenario);
  if (is_of_sim(action.when->event))
    mark_sim_only(scenario, when, "event");
  when.refuse_unknown();
}

void read_time(wire::object_reader& from, scenario_file& scenario, scenario_action& action) {
  const bool has_condition = from.look("when") != nullptr;
  if (has_condition && from.look("at_ms"))
    from.refuse("at_ms", "an action has a time or a condition; after a condition: after_ms");
  if (!has_condition && from.look("after_ms"))
    from.refuse("after_ms", "belongs to a condition (when); without one: at_ms");
  action.after =
    milliseconds{read_number(from, has_condition ? "after_ms" : "at_ms", 0, 0, span_ms_max)};
  if (has_condition)
    read_condition(from, scenario, action);
}

} // namespace

void read_scenario_actions(wire::object_reader& root, scenario_file& scenario) {
  root.each("actions", [&](wire::object_reader& from, std::size_t) {
    scenario_action action;
    read_time(from, scenario, action);
    read_verb(from, scenario, action);
    scenario.actions.push_back(std::move(action));
  });
  // They need a controller of the player's own, and a node has one controller.
  if (has_mortal_controllers(scenario))
    for (const auto& a : scenario.actions)
      if (std::holds_alternative<action::migrate>(a.what))
        mark_sim_only(scenario, root, "actions");
  const bool drawn = scenario.random && scenario.random->evacuations > 0;
  const bool written =
    std::any_of(scenario.actions.begin(), scenario.actions.end(), [](const scenario_action& a) {
      return is_departure(a.what);
    });
  if (root.good() && !drawn && !written)
    root.refuse("actions", "a scenario evacuates or migrates something");
}

} // namespace drover
