#include "runtime/program/move_settings.hpp"

#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::json;

std::optional<std::uint32_t> number_of(const json& from, const char* key) {
  if (!from.contains(key) || !from.at(key).is_number_unsigned())
    return std::nullopt;
  return from.at(key).get<std::uint32_t>();
}

} // namespace

std::string settings_text(const evacuate_options& c) {
  json all = json::object();
  for (const auto& node : c.to)
    all["to"].push_back(node.value);
  if (c.streams_max)
    all["streams_max"] = *c.streams_max;
  if (c.prepare_max)
    all["prepare_max"] = *c.prepare_max;
  if (c.stream)
    all["stream"] = std::string{to_string(*c.stream)};
  if (c.channels)
    all["channels"] = *c.channels;
  return all.dump();
}

evacuate_options with_settings(evacuate_options c, const std::string& text) {
  const auto all = json::parse(text, nullptr, false);
  if (!all.is_object())
    return c;
  if (all.contains("to") && all.at("to").is_array())
    for (const auto& node : all.at("to"))
      if (node.is_string())
        c.to.emplace_back(node.get<std::string>());
  c.streams_max = number_of(all, "streams_max");
  c.prepare_max = number_of(all, "prepare_max");
  c.channels = number_of(all, "channels");
  if (all.contains("stream") && all.at("stream").is_string())
    c.stream = stream_kind_from_string(all.at("stream").get<std::string>());
  return c;
}

} // namespace drover
