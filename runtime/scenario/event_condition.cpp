#include "runtime/scenario/event_condition.hpp"

#include "actors/handover/handover.hpp"
#include "runtime/cluster/checked_values.hpp"
#include "runtime/wire/json_fields.hpp"

#include <set>
#include <type_traits>
#include <utility>
#include <variant>

namespace drover {
namespace {

constexpr std::uint32_t count_max = 1000000;
constexpr const char* any_event = "any";

using event_body = decltype(trace_event::body);

/// Every event's name with its fields, from the events themselves.
template <std::size_t... Indices>
std::map<std::string, std::set<std::string>> event_fields(std::index_sequence<Indices...>) {
  std::map<std::string, std::set<std::string>> all;
  const auto add = [&](auto body) {
    auto& names = all[decltype(body)::name];
    decltype(body)::fields(
      body, [&](const char* field, const auto&) { names.insert(std::string(field)); });
  };
  (add(std::variant_alternative_t<Indices, event_body>{}), ...);
  return all;
}

const std::map<std::string, std::set<std::string>>& known_events() {
  static const auto all = event_fields(std::make_index_sequence<std::variant_size_v<event_body>>{});
  return all;
}

template <class Names>
std::string joined(const Names& names) {
  std::string text;
  for (const auto& name : names)
    text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

std::vector<std::string> phase_names() {
  std::vector<std::string> names;
  for (auto p = phase::waiting;; p = static_cast<phase>(static_cast<int>(p) + 1)) {
    names.emplace_back(to_string(p));
    if (p == phase::ended)
      return names;
  }
}

/// A misspelt phase would never come.
void check_phase(
  wire::object_reader& from, const event_condition& condition, const std::string& key) {
  const auto field = condition.fields.find(key);
  if (condition.event != phase_changed::name || field == condition.fields.end())
    return;
  const auto names = phase_names();
  for (const auto& name : names)
    if (field->second == name)
      return;
  from.refuse(key, "expected one of " + joined(names));
}

void read_count(wire::object_reader& from, event_condition& condition) {
  const auto* field = from.look("count");
  if (field == nullptr || !field->is_object()) {
    condition.count = read_number(from, "count", 1, 1, count_max);
    return;
  }
  auto range = from.object("count");
  condition.count = read_number(range, "least", 1, 1, count_max);
  if (!range.look("most"))
    range.refuse("most", "is missing");
  condition.count_most = read_number(range, "most", condition.count, 1, count_max);
  if (condition.count_most < condition.count)
    range.refuse("most", "is less than the least, " + std::to_string(condition.count));
  range.refuse_unknown();
}

} // namespace

nlohmann::json to_json(const event_condition& condition) {
  nlohmann::json json{{"event", condition.event}, {"count", condition.count}};
  for (const auto& [name, value] : condition.fields)
    json[name] = value;
  if (condition.count_most > 0)
    json["count"] = {{"least", condition.count}, {"most", condition.count_most}};
  return json;
}

event_condition drawn(event_condition condition, luck& chance) {
  if (condition.count_most > condition.count)
    condition.count +=
      static_cast<std::uint32_t>(chance.below(condition.count_most - condition.count + 1));
  condition.count_most = 0;
  return condition;
}

event_condition read_event_condition(wire::object_reader& from) {
  event_condition condition;
  condition.event = from.required<std::string>("event");
  if (condition.event == any_event) {
    read_count(from, condition);
    return condition;
  }
  const auto known = known_events().find(condition.event);
  if (known == known_events().end()) {
    std::set<std::string> names;
    for (const auto& [name, fields] : known_events())
      names.insert(name);
    from.refuse("event", "no such event; there are any, " + joined(names));
    return condition;
  }
  for (const auto& name : known->second)
    if (const auto* value = from.look(name)) {
      if (!value->is_primitive() || value->is_null())
        from.refuse(name, "expected a word, a number, true or false");
      condition.fields.emplace(name, *value);
    }
  read_count(from, condition);
  check_phase(from, condition, "from");
  check_phase(from, condition, "to");
  return condition;
}

bool is_detail(std::string_view event) {
  return event == message_carried::name || event == view_changed::name;
}

bool fits(const event_condition& condition, const trace_event& event) {
  if (condition.event == any_event)
    return std::visit(
      [](const auto& body) { return !is_detail(std::remove_cvref_t<decltype(body)>::name); },
      event.body);
  return std::visit(
    [&](const auto& body) {
      if (condition.event != std::remove_cvref_t<decltype(body)>::name)
        return false;
      const auto values = wire::encode_json(body);
      for (const auto& [name, wanted] : condition.fields) {
        const auto value = values.find(name);
        if (value == values.end() || *value != wanted)
          return false;
      }
      return true;
    },
    event.body);
}

} // namespace drover
