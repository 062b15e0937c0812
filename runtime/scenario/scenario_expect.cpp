#include "runtime/cluster/checked_values.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <nlohmann/json.hpp>

namespace drover {
namespace {

constexpr int exit_code_max = 6;

void read_exit_codes(wire::object_reader& from, scenario_expect& expect) {
  const auto* field = from.look("exit_code");
  if (!field)
    return;
  expect.exit_codes.clear();
  if (field->is_array()) {
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

void read_places(
  wire::object_reader& from, const scenario_file& scenario, scenario_expect& expect) {
  using names = std::map<std::string, std::string>;
  if (from.look("on_node"))
    expect.on_node.clear();
  for (const auto& [key, node] : from.optional("on_node", names{})) {
    const auto vm = vm_of_word(key);
    if (!vm || !has_vm(scenario, *vm))
      from.refuse("on_node", "there is no VM " + key + " in this scenario");
    else if (!has_node(scenario, node_id{node}))
      from.refuse("on_node", unknown_node(scenario, node_id{node}));
    else
      expect.on_node.emplace(*vm, node_id{node});
  }
  using counts = std::map<std::string, std::uint32_t>;
  if (from.look("vms_on"))
    expect.vms_on.clear();
  for (const auto& [node, count] : from.optional("vms_on", counts{})) {
    if (!has_node(scenario, node_id{node}))
      from.refuse("vms_on", unknown_node(scenario, node_id{node}));
    expect.vms_on.emplace(node_id{node}, count);
  }
}

template <class T>
void read_if_given(wire::object_reader& from, const std::string& key, std::optional<T>& to) {
  if (from.look(key))
    to = from.required<T>(key);
}

void read_limit(wire::object_reader& from, const std::string& key, std::optional<double>& to) {
  read_if_given(from, key, to);
  if (to && *to < 0)
    from.refuse(key, "expected 0 or more");
}

void read_figures(wire::object_reader& from, scenario_expect& expect) {
  read_limit(from, "duration_s_max", expect.duration_s_max);
  read_if_given(from, "store_operations_in_pause_max", expect.store_operations_in_pause_max);
  read_limit(from, "pause_p50_ms_max", expect.pause_p50_ms_max);
  read_limit(from, "pause_p99_ms_max", expect.pause_p99_ms_max);
  read_limit(from, "pause_max_ms", expect.pause_max_ms);
  if (from.look("races") && from.look("races_min"))
    from.refuse("races_min", "races says exactly how many already");
  // What a policy says of races replaces what the scenario says of them.
  if (from.look("races") || from.look("races_min")) {
    expect.races.reset();
    expect.races_min.reset();
  }
  read_if_given(from, "pauses_unknown", expect.pauses_unknown);
  read_if_given(from, "races", expect.races);
  read_if_given(from, "races_min", expect.races_min);
  expect.stuck = from.optional("stuck", expect.stuck);
  expect.violations = from.optional("violations", expect.violations);
}

/// All that a policy may say of its own, over what `expect` says already.
void read_fields(
  wire::object_reader& from, const scenario_file& scenario, scenario_expect& expect) {
  read_exit_codes(from, expect);
  if (from.look("result"))
    expect.result = read_word(
      from, "result", "",
      {"all_moved", "some_stayed", "infeasible", "cancelled", "deadline_passed", "needs_operator",
       "error"});
  read_if_given(from, "moved", expect.moved);
  read_stays(from, scenario, expect);
  expect.beats_lost = from.optional("beats_lost", expect.beats_lost);
  expect.beats_doubled = from.optional("beats_doubled", expect.beats_doubled);
  read_figures(from, expect);
  expect.golden = from.optional("golden", expect.golden);
  expect.untouched = from.optional("untouched", expect.untouched);
  read_places(from, scenario, expect);
}

} // namespace

void read_scenario_expect(wire::object_reader& root, scenario_file& scenario) {
  if (!root.look("expect"))
    return;
  auto from = root.object("expect");
  read_fields(from, scenario, scenario.expect);
  from.each_member("policies", [&](wire::object_reader& own, const std::string& word) {
    const auto how = policy_from_string(word);
    if (!how)
      return own.refuse("", "expected a policy's name: one of " + std::string(policy_names()));
    auto expect = scenario.expect;
    read_fields(own, scenario, expect);
    scenario.expect_of.emplace(*how, std::move(expect));
  });
  from.refuse_unknown();
}

} // namespace drover
