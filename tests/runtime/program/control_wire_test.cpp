#include "runtime/program/control_wire.hpp"

#include "runtime/program/move_settings.hpp"

#include <catch2/catch.hpp>

using namespace drover;

namespace {

std::string_view without_newline(const std::string& line) {
  REQUIRE(line.ends_with('\n'));
  return std::string_view{line}.substr(0, line.size() - 1);
}

} // namespace

TEST_CASE("what a run is asked and answers comes through the socket as it was", "[pure]") {
  for (const auto ask :
       {control_ask::follow, control_ask::pause, control_ask::resume, control_ask::cancel}) {
    const auto line = encode(ask);
    CHECK(*decode_ask(without_newline(line)) == ask);
  }
  const auto said = encode(control_answer{control_say{"VM 101: moved\n\"quoted\"\n"}});
  CHECK(
    std::get<control_say>(*decode_answer(without_newline(said))).text ==
    "VM 101: moved\n\"quoted\"\n");
  const auto told = encode(control_answer{control_told{"goes on"}});
  CHECK(std::get<control_told>(*decode_answer(without_newline(told))).text == "goes on");
  const auto ended = encode(control_answer{control_ended{2, "a table\n", "{}\n"}});
  const auto end = std::get<control_ended>(*decode_answer(without_newline(ended)));
  CHECK(end.exit_code == 2);
  CHECK(end.table == "a table\n");
  CHECK(end.json == "{}\n");
}

TEST_CASE("a line that says nothing known is an error and nothing else", "[pure]") {
  for (const auto* line :
       {"", "{", "[]", "7", "{}", R"({"ask": 1})", R"({"ask": "sing"})", "\xff\xfe"}) {
    INFO(line);
    CHECK(decode_ask(line).error().code == errc::invalid);
    CHECK(decode_answer(line).error().code == errc::invalid);
  }
  CHECK_FALSE(decode_answer(R"({"ended": "two", "table": "", "json": ""})"));
}

TEST_CASE(
  "what was typed for an evacuation is there for the controller that takes it up", "[pure]") {
  evacuate_options typed;
  typed.node = node_id{"n1"};
  typed.to = {node_id{"n2"}, node_id{"n3"}};
  typed.streams_max = 3;
  typed.stream = stream_kind::plain;
  const auto again = with_settings({}, settings_text(typed));
  CHECK(again.to == typed.to);
  CHECK(again.streams_max == 3U);
  CHECK_FALSE(again.prepare_max);
  CHECK(again.stream == stream_kind::plain);
  CHECK_FALSE(again.channels);
  for (const auto* text : {"", "{", "[]", R"({"to": 7, "streams_max": "x", "stream": 1})"}) {
    const auto nothing = with_settings({}, text);
    CHECK(nothing.to.empty());
    CHECK_FALSE(nothing.streams_max);
    CHECK_FALSE(nothing.stream);
  }
}
