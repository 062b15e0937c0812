#include "runtime/cluster/byte_size.hpp"
#include "runtime/cluster/checked_values.hpp"
#include "runtime/scenario/scenario_parts.hpp"

#include <nlohmann/json.hpp>

namespace drover {
namespace {

constexpr std::uint32_t weight_max = 1000000;
constexpr std::uint32_t span_ms_max = 24 * 3600 * 1000;
constexpr std::uint32_t evacuations_max = 1000;
constexpr std::uint32_t nodes_min = 2;
constexpr std::uint32_t nodes_max = 1000;
constexpr std::uint32_t vms_max = 10000;
constexpr std::uint64_t memory_max = 2ULL << 30U;

std::string fault_words() {
  std::string words;
  for (const auto kind : all_fault_kinds())
    words += (words.empty() ? "" : ", ") + std::string(to_string(kind));
  return words;
}

void read_faults(wire::object_reader& from, scenario_random& random) {
  const auto* field = from.look("faults");
  if (!field)
    return;
  if (field->is_string()) {
    if (*field != "all")
      from.refuse("faults", "expected \"all\" or weights like {\"cut_link\": 30}");
    for (const auto kind : all_fault_kinds())
      random.faults.emplace(kind, 1);
    return;
  }
  auto weights = from.object("faults");
  if (!from.good())
    return;
  for (const auto& [word, value] : field->items()) {
    const auto weight = read_number(weights, word, 0, 0, weight_max);
    const auto kind = fault_kind_from_string(word);
    if (!kind)
      weights.refuse(word, "no such fault; there are " + fault_words());
    else if (weight > 0)
      random.faults.emplace(*kind, weight);
  }
}

std::optional<count_range> read_range(
  wire::object_reader& random, const std::string& key, std::uint32_t least, std::uint32_t most) {
  if (!random.look(key))
    return std::nullopt;
  auto from = random.object(key);
  count_range range;
  range.least = read_number(from, "least", least, least, most);
  if (!from.look("most"))
    from.refuse("most", "is missing");
  range.most = read_number(from, "most", range.least, least, most);
  if (range.most < range.least)
    from.refuse("most", "is less than the least, " + std::to_string(range.least));
  from.refuse_unknown();
  return range;
}

void read_memory(wire::object_reader& from, scenario_random& random) {
  if (!from.look("memory"))
    return;
  for (const auto& text : from.required<std::vector<std::string>>("memory")) {
    const auto size = parse_byte_size(text);
    if (!size)
      from.refuse("memory", size.error().what);
    else if (*size < 1024 || *size > memory_max)
      from.refuse("memory", "expected 1K to 2G, found " + text);
    random.memory_bytes.push_back(size.value_or(0));
  }
  if (!random.vms)
    from.refuse("memory", "is drawn for VMs that are drawn, and vms is missing here");
  if (random.memory_bytes.empty())
    from.refuse("memory", "expected at least one size");
}

void read_policies(wire::object_reader& from, scenario_random& random) {
  const auto* field = from.look("policies");
  if (!field)
    return;
  if (field->is_string()) {
    if (*field == "all")
      random.policies = {all_policies.begin(), all_policies.end()};
    else if (*field == "safe")
      random.policies = {policy::lock, policy::claim, policy::ticket};
    else
      from.refuse("policies", "expected \"all\", \"safe\" or a list of policies");
    return;
  }
  for (const auto& word : from.required<std::vector<std::string>>("policies"))
    if (const auto how = policy_of_word(from, "policies", word))
      random.policies.push_back(*how);
  if (random.policies.empty())
    from.refuse("policies", "expected at least one policy");
}

} // namespace

void read_scenario_random(wire::object_reader& root, scenario_file& scenario) {
  if (!root.look("random"))
    return;
  mark_sim_only(scenario, root, "random");
  auto from = root.object("random");
  auto& random = scenario.random.emplace();
  read_faults(from, random);
  random.every = milliseconds{read_number(from, "every_ms", 1000, 1, span_ms_max)};
  random.until = milliseconds{read_number(from, "until_ms", 10000, 1, span_ms_max)};
  if (random.until >= std::chrono::seconds{scenario.deadline_s})
    from.refuse(
      "until_ms", "leaves no time to settle before the deadline of " +
                    std::to_string(scenario.deadline_s) + " s");
  random.evacuations = read_number(from, "evacuations", 0, 0, evacuations_max);
  random.nodes = read_range(from, "nodes", nodes_min, nodes_max);
  random.vms = read_range(from, "vms", 1, vms_max);
  read_memory(from, random);
  read_policies(from, random);
  random.clocks = from.optional("clocks", false);
  from.refuse_unknown();
}

} // namespace drover
