#include "runtime/program/control_wire.hpp"

#include <array>
#include <nlohmann/json.hpp>

namespace drover {
namespace {

using nlohmann::json;

constexpr std::array all_asks{
  control_ask::follow, control_ask::pause, control_ask::resume, control_ask::cancel};

std::string line_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

bool has_text(const json& value, const char* key) {
  return value.contains(key) && value.at(key).is_string();
}

} // namespace

std::string_view to_string(control_ask ask) {
  switch (ask) {
  case control_ask::follow:
    return "follow";
  case control_ask::pause:
    return "pause";
  case control_ask::resume:
    return "resume";
  case control_ask::cancel:
    break;
  }
  return "cancel";
}

std::string encode(control_ask ask) { return line_of({{"ask", std::string{to_string(ask)}}}); }

std::string encode(const control_answer& answer) {
  if (const auto* told = std::get_if<control_told>(&answer))
    return line_of({{"told", told->text}});
  if (const auto* say = std::get_if<control_say>(&answer))
    return line_of({{"say", say->text}});
  const auto& end = std::get<control_ended>(answer);
  return line_of({{"ended", end.exit_code}, {"table", end.table}, {"json", end.json}});
}

result<control_ask> decode_ask(std::string_view line) {
  const auto parsed = json::parse(line, nullptr, false);
  if (parsed.is_object() && has_text(parsed, "ask"))
    for (const auto ask : all_asks)
      if (parsed.at("ask") == to_string(ask))
        return ask;
  return fail(errc::invalid, "a run is asked to follow, pause, resume or cancel");
}

result<control_answer> decode_answer(std::string_view line) {
  const auto parsed = json::parse(line, nullptr, false);
  if (parsed.is_object()) {
    if (has_text(parsed, "told"))
      return control_told{parsed.at("told")};
    if (has_text(parsed, "say"))
      return control_say{parsed.at("say")};
    if (
      parsed.contains("ended") && parsed.at("ended").is_number_integer() &&
      has_text(parsed, "table") && has_text(parsed, "json"))
      return control_ended{parsed.at("ended"), parsed.at("table"), parsed.at("json")};
  }
  return fail(errc::invalid, "the run's process answered what nobody understands");
}

} // namespace drover
