#include "runtime/cluster/delay_text.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace drover;
using namespace std::chrono_literals;

namespace {

/// The delay in `field`, with the error where there is one.
result<delay_range> read(const std::string& field) {
  const auto document = nlohmann::json::parse(R"({"lag": )" + field + "}");
  wire::object_reader root(document, "");
  const auto delay = read_delay(root, "lag", exactly(7ms));
  if (const auto ok = root.finish(); !ok)
    return tl::unexpected(ok.error());
  return delay;
}

} // namespace

TEST_CASE("a time is a number and its unit") {
  const std::vector<std::pair<std::string, nanoseconds>> cases{
    {"0", 0ns},       {"0s", 0ns},    {"10ns", 10ns},   {"250us", 250us},
    {"100ms", 100ms}, {"2s", 2s},     {"1.5s", 1500ms}, {"0.25ms", 250us},
    {"90m", 90min},   {"1440m", 24h}, {"0.001us", 1ns}, {"119.7s", 119'700ms}};
  for (const auto& [text, span] : cases) {
    INFO(text);
    CHECK(parse_time_span(text) == span);
  }
}

TEST_CASE("what is not a time is refused with what would be right") {
  for (const std::string text :
       {"", "s", "5", "00", "-1s", "+1s", "1 s", "1.s", ".5s", "1.2.3s", "1S", "1h", "1e3s", "1s\n",
        "NaN", "123456789012345ns", "\xff"}) {
    INFO(text);
    const auto span = parse_time_span(text);
    REQUIRE_FALSE(span.has_value());
    CHECK(span.error().code == errc::invalid);
  }
  CHECK(
    parse_time_span("5").error().what ==
    "expected a time with its unit (ns, us, ms, s, m), like 100ms or 2s");
  CHECK(parse_time_span("1441m").error().what == "a day is the longest time");
  CHECK(parse_time_span("99999999999999m").error().what == "a day is the longest time");
}

TEST_CASE("a time is written in the largest unit that keeps it whole") {
  for (const std::string text : {"0", "1ns", "250us", "100ms", "2s", "1500ms", "90m"}) {
    INFO(text);
    CHECK(format_time_span(*parse_time_span(text)) == text);
  }
  CHECK(format_time_span(120s) == "2m");
}

TEST_CASE("a delay in a file is one time or a range with a slow tail") {
  CHECK(read(R"("100ms")") == exactly(100ms));
  CHECK(read(R"("0")") == exactly(0ns));
  CHECK(read(R"({"most": "5ms"})") == delay_range{0ns, 5ms, 0, 0ns});
  CHECK(read(R"({"least": "1ms", "most": "5ms"})") == delay_range{1ms, 5ms, 0, 0ns});
  CHECK(
    read(R"({"least": "1ms", "most": "5ms", "slow_per_million": 1000, "slow_most": "2s"})") ==
    delay_range{1ms, 5ms, 1000, 2s});
  const nlohmann::json empty = nlohmann::json::object();
  wire::object_reader root(empty, "");
  CHECK(read_delay(root, "lag", exactly(7ms)) == exactly(7ms));
  CHECK(root.finish().has_value());
}

TEST_CASE("every fault of a delay is told with its path and what would be right") {
  const std::vector<std::pair<std::string, std::string>> faults{
    {"5", "/lag: expected a time like \"100ms\", or an object with least and most, found 5"},
    {"[]",
     "/lag: expected a time like \"100ms\", or an object with least and most, found something "
     "else"},
    {R"("5")", "/lag: expected a time with its unit (ns, us, ms, s, m), like 100ms or 2s"},
    {"{}", "/lag/most: is missing: a time with its unit, like \"5ms\""},
    {R"({"least": "5ms", "most": "1ms"})", "/lag/most: is less than the least, 5ms"},
    {R"({"least": 5, "most": "1ms"})",
     "/lag/least: expected a time with its unit in quotes, like \"100ms\", found 5"},
    {R"({"most": "1ms", "slow_per_million": 5})",
     "/lag/slow_most: is missing: how long the slow ones take, like \"2s\""},
    {R"({"most": "1ms", "slow_per_million": 5, "slow_most": "1us"})",
     "/lag/slow_most: is less than the most, 1ms"},
    {R"({"most": "1ms", "slow_per_million": 1000001, "slow_most": "2s"})",
     "/lag/slow_per_million: expected a whole number from 0 to 1000000, found 1000001"},
    {R"({"most": "1ms", "slow": 1})",
     "/lag/slow: unknown field; known here: least, most, slow_most, slow_per_million"},
  };
  for (const auto& [field, message] : faults) {
    INFO(field);
    const auto delay = read(field);
    REQUIRE_FALSE(delay.has_value());
    CHECK(delay.error().code == errc::invalid);
    CHECK(to_string(delay.error()) == message);
  }
}

TEST_CASE("a delay in one word says the same as the one it was written from") {
  const std::vector<std::pair<std::string, delay_range>> cases{
    {"0", {}},
    {"100ms", exactly(100ms)},
    {"1ms..5ms", {1ms, 5ms, 0, 0ns}},
    {"1ms..5ms,1000:2s", {1ms, 5ms, 1000, 2s}},
    {"1ms..1ms,1:1s", {1ms, 1ms, 1, 1s}}};
  for (const auto& [text, delay] : cases) {
    INFO(text);
    CHECK(format_delay(delay) == text);
    CHECK(parse_delay(text) == delay);
  }
  for (const std::string text :
       {"", "5", "1ms..", "..5ms", "5ms..1ms", "1ms..5ms,", "1ms..5ms,1000", "1ms..5ms,x:2s",
        "1ms..5ms,1000:", "1ms..5ms,1000:1ms", "1ms..5ms,2000000:2s", "1ms..5ms,-1:2s",
        "1ms...5ms"}) {
    INFO(text);
    const auto delay = parse_delay(text);
    REQUIRE_FALSE(delay.has_value());
    CHECK(delay.error().code == errc::invalid);
  }
}
