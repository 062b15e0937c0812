#include "runtime/program/readiness_text.hpp"

#include "runtime/wire/features.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

/// Beyond this, what two hosts say of one moment is of no use for a pause of milliseconds, although
/// nothing but the figures suffers.
constexpr nanoseconds clock_ahead_max = std::chrono::milliseconds(500);

std::string account_of(const ssh_place& place) { return place.user + "@" + place.host; }

/// "; run: ..." at the end of an error's text is the command that mends it.
readiness_item refused_login(const error& why) {
  const std::string mark = "run: ";
  const std::string with = "with: ";
  for (const auto& word : {mark, with})
    if (const auto at = why.what.rfind(word); at != std::string::npos)
      return {"login", false, to_string(why), why.what.substr(at + word.size())};
  return {"login", false, to_string(why), "see whether the host is up and its sshd runs"};
}

/// An agent that speaks this major version does; what an older one cannot is told.
readiness_item version_item(const wire::hello_reply& hello, const std::string& copy) {
  const auto there = wire::version_text(hello.protocol, hello.minor);
  const auto here = wire::version_text(wire::protocol_version, wire::protocol_minor);
  auto found = "version " + hello.version;
  if (hello.version != DROVER_VERSION || there != here)
    found = fmt::format(
      "version {} (protocol {}), drover is {} ({})", hello.version, there, DROVER_VERSION, here);
  if (hello.protocol != wire::protocol_version)
    return {"agent", false, found, copy};
  for (const auto name : wire::features_here)
    if (std::find(hello.features.begin(), hello.features.end(), name) == hello.features.end())
      found += fmt::format("; without {}: {}", name, wire::loss_without(name));
  return {"agent", true, found, {}};
}

readiness_item agent_item(const cluster_node& node, const visit_facts& facts) {
  const auto copy = node.link == link_kind::ssh ? fmt::format(
                                                    "scp -P {} drover-agent {}:{}", node.place.port,
                                                    account_of(node.place), node.place.agent)
                                                : std::string{"build drover-agent beside drover"};
  if (facts.refusal)
    return {"agent", false, to_string(*facts.refusal), copy};
  if (facts.hello)
    return version_item(*facts.hello, copy);
  const auto version = facts.report ? std::optional{facts.report->version} : std::nullopt;
  if (!version && facts.end)
    return {"agent", false, to_string(*facts.end), copy};
  if (!version)
    return {"agent", false, "does not answer", copy};
  if (*version != DROVER_VERSION)
    return {
      "agent", false, fmt::format("version {}, drover is {}", *version, DROVER_VERSION), copy};
  return {"agent", true, "version " + *version, {}};
}

readiness_item clock_item(const clock_offset& clock) {
  const auto ms = [](nanoseconds span) { return static_cast<double>(span.count()) / 1e6; };
  const auto found =
    fmt::format("{:+.2f} ms, at most {:.2f} ms wrong", ms(clock.ahead), ms(clock.error));
  if (std::chrono::abs(clock.ahead) > clock_ahead_max + clock.error)
    return {"clock", false, found, "systemctl enable --now chrony && chronyc makestep"};
  return {"clock", true, found, {}};
}

} // namespace

std::vector<readiness_item> items_of(const cluster_node& node, const visit_facts& facts) {
  if (!facts.is_open)
    return {refused_login(facts.end.value_or(error{errc::timeout, "no answer in time", {}}))};
  std::vector<readiness_item> items;
  items.push_back(
    {"login", true, node.link == link_kind::ssh ? account_of(node.place) : "child process", {}});
  items.push_back(agent_item(node, facts));
  if (facts.report)
    items.insert(items.end(), facts.report->items.begin(), facts.report->items.end());
  if (facts.clock)
    items.push_back(clock_item(*facts.clock));
  return items;
}

bool all_ready(const readiness& seen) {
  return std::all_of(seen.begin(), seen.end(), [](const auto& node) {
    return std::all_of(
      node.second.begin(), node.second.end(), [](const auto& item) { return item.ok; });
  });
}

std::string readiness_table(const readiness& seen) {
  std::string text;
  for (const auto& [node, items] : seen) {
    text += node.value + "\n";
    for (const auto& item : items) {
      text += fmt::format("  {:<18} {:<8} {}\n", item.name, item.ok ? "ok" : "missing", item.found);
      if (!item.ok)
        text += fmt::format("  {:<18} {:<8} {}\n", "", "  mend:", item.mend);
    }
  }
  return text;
}

std::string readiness_json(const readiness& seen) {
  using json = nlohmann::ordered_json;
  json nodes = json::array();
  for (const auto& [node, items] : seen) {
    json list = json::array();
    for (const auto& item : items)
      list.push_back(
        {{"item", item.name}, {"ok", item.ok}, {"found", item.found}, {"mend", item.mend}});
    nodes.push_back({{"node", node.value}, {"items", list}});
  }
  return json{{"ready", all_ready(seen)}, {"nodes", nodes}}.dump(
           2, ' ', false, json::error_handler_t::replace) +
         "\n";
}

} // namespace drover
