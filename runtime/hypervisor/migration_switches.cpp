#include "runtime/hypervisor/migration_switches.hpp"

namespace drover {

using nlohmann::json;

void migration_switches::learn(const json& list) {
  if (!list.is_array())
    return;
  for (const auto& one : list) {
    const auto name = one.is_object() ? one.find("capability") : one.end();
    const auto state = one.is_object() ? one.find("state") : one.end();
    if (name == one.end() || state == one.end() || !name->is_string() || !state->is_boolean())
      continue;
    states_[name->get<std::string>()] = state->get<bool>();
  }
}

migration_switches::wanted migration_switches::changes(const wanted& all) const {
  wanted some;
  for (const auto& [name, is_on] : all)
    if (const auto at = states_.find(name); at != states_.end() && at->second != is_on)
      some.emplace_back(name, is_on);
  return some;
}

void migration_switches::forget(const wanted& changed) {
  for (const auto& [name, is_on] : changed)
    if (const auto at = states_.find(name); at != states_.end())
      at->second.reset();
}

void migration_switches::note(const wanted& changed) {
  for (const auto& [name, is_on] : changed)
    if (const auto at = states_.find(name); at != states_.end())
      at->second = is_on;
}

void migration_switches::forget_all() {
  for (auto& [name, is_on] : states_)
    is_on.reset();
}

std::vector<std::string> words_of(const migration_switches::wanted& all) {
  std::vector<std::string> words;
  for (const auto& [name, is_on] : all) {
    words.emplace_back("-global");
    words.push_back("migration.x-" + std::string(name) + (is_on ? "=on" : "=off"));
  }
  return words;
}

migration_switches::wanted switches_of_any() { return {{"events", true}, {"return-path", true}}; }

migration_switches::wanted switches_of_target() {
  auto all = switches_of_any();
  all.emplace_back("late-block-activate", true);
  return all;
}

json argument_of(const migration_switches::wanted& changes) {
  json list = json::array();
  for (const auto& [name, is_on] : changes)
    list.push_back({{"capability", name}, {"state", is_on}});
  return {{"capabilities", std::move(list)}};
}

} // namespace drover
