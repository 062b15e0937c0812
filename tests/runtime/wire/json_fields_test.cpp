// What json_fields says about good and bad values.
#include "runtime/wire/json_fields.hpp"

#include "runtime/wire/message.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace drover;
using nlohmann::json;

enum class colour : std::uint8_t { red, green };
std::string_view to_string(colour c) { return c == colour::red ? "red" : "green"; }
std::optional<colour> colour_from_string(std::string_view text) {
  if (text == "red")
    return colour::red;
  return text == "green" ? std::optional(colour::green) : std::nullopt;
}

struct inner {
  ticket evidence;
  std::optional<std::uint16_t> port;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("evidence", s.evidence), f("port", s.port);
  }
};

struct outer {
  std::int32_t offset = 0;
  std::uint64_t bytes = 0;
  double ratio = 0;
  colour paint = colour::red;
  milliseconds wait{0};
  wall_time at;
  mono_time since;
  std::vector<inner> parts;
  std::map<std::string, vm_id> names;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("offset", s.offset), f("bytes", s.bytes), f("ratio", s.ratio), f("paint", s.paint);
    f("wait", s.wait), f("at", s.at), f("since", s.since), f("parts", s.parts);
    f("names", s.names);
  }
};

json good() {
  return json::parse(R"({"offset":-7,"bytes":18446744073709551615,"ratio":0.5,"paint":"green",
    "wait":250,"at":1700000000000001,"since":99,
    "parts":[{"evidence":{"vm":105,"number":7,"source":"n1","target":"n2","how":"claim"},
              "port":65535},
             {"evidence":{"vm":106,"number":8,"source":"n1","target":"n3","how":"ticket"}}],
    "names":{"a":100}})");
}

} // namespace

template <>
struct drover::wire::enum_text<colour> {
  static constexpr auto from_string = &colour_from_string;
};

TEST_CASE("every kind of field comes back as it was", "[pure]") {
  const auto value = wire::decode_json<outer>(good());
  REQUIRE(value);
  CHECK(value->offset == -7);
  CHECK(value->bytes == 18446744073709551615u);
  CHECK(value->paint == colour::green);
  CHECK(value->wait == milliseconds(250));
  CHECK(value->at.time_since_epoch().count() == 1700000000000001);
  CHECK(value->since.time_since_epoch().count() == 99);
  REQUIRE(value->parts.size() == 2);
  CHECK(to_string(value->parts[0].evidence) == "105#7 n1->n2");
  CHECK(value->parts[0].evidence.how() == policy::claim);
  CHECK(value->parts[0].port == 65535);
  CHECK_FALSE(value->parts[1].port);
  CHECK(value->names.at("a") == vm_id(100));
  CHECK(wire::encode_json(*value) == good());
}

TEST_CASE("an unknown field is ignored and null is an absent optional", "[pure]") {
  auto from = good();
  from["of_a_newer_peer"] = 1;
  from["parts"][0]["port"] = nullptr;
  const auto value = wire::decode_json<outer>(from);
  REQUIRE(value);
  CHECK_FALSE(value->parts[0].port);
}

TEST_CASE("a bad field is named by its path, with what would be right", "[pure]") {
  struct row {
    const char* pointer;
    json put; // discarded = take the field away
    const char* error;
  };
  const json absent(json::value_t::discarded);
  const std::vector<row> rows{
    {"/offset", 3.0, "/offset: expected a whole number, found 3.0"},
    {"/offset", 2147483648u,
     "/offset: expected a whole number from -2147483648 to 2147483647, found 2147483648"},
    {"/offset", 18446744073709551615u,
     "/offset: expected a whole number from -2147483648 to 2147483647, "
     "found 18446744073709551615"},
    {"/bytes", -1, "/bytes: expected a whole number from 0 to 18446744073709551615, found -1"},
    {"/bytes", "7", "/bytes: expected a whole number, found \"7\""},
    {"/ratio", "half", "/ratio: expected a number, found \"half\""},
    {"/paint", "blue", "/paint: expected one of red, green, found \"blue\""},
    {"/paint", 0, "/paint: expected one of red, green, found 0"},
    {"/wait", -1, "/wait: expected a whole number from 0 to 9223372036854, found -1"},
    {"/at", 9223372036854775807,
     "/at: expected a whole number from 0 to 9223372036854775, "
     "found 9223372036854775807"},
    {"/since", true, "/since: expected a whole number, found true"},
    {"/parts", json::object(), "/parts: expected a list, found an object"},
    {"/parts/1", "x", "/parts/1: expected an object, found \"x\""},
    {"/parts/0/port", 65536, "/parts/0/port: expected a whole number from 0 to 65535, found 65536"},
    {"/parts/1/evidence/number", "e",
     "/parts/1/evidence/number: expected a whole number, found \"e\""},
    {"/parts/1/evidence/how", "locks",
     "/parts/1/evidence/how: expected one of check, nocheck, lock, "
     "early, claim, ticket, found \"locks\""},
    {"/parts/1/evidence/source", json::array(),
     "/parts/1/evidence/source: expected a string, found a list"},
    {"/parts/1/evidence/target", absent, "/parts/1/evidence/target: is missing"},
    {"/names/a", nullptr, "/names/a: expected a whole number, found null"},
    {"/names/x~1y~0", "z", "/names/x~1y~0: expected a whole number, found \"z\""},
    {"/paint", std::string(5000, 'x'),
     "/paint: expected one of red, green, found a string of 5000 bytes"},
    {"", 1, "/: expected an object, found 1"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.pointer);
    auto from = good();
    const json::json_pointer at(r.pointer);
    if (r.put.is_discarded())
      from.at(at.parent_pointer()).erase(at.back());
    else
      from[at] = r.put;
    const auto value = wire::decode_json<outer>(from);
    REQUIRE_FALSE(value);
    CHECK(value.error() == error{errc::invalid, r.error, {}});
  }
}

TEST_CASE("every word of an enum on the wire can be read back", "[pure]") {
  using wire::run_state;
  for (auto s :
       {run_state::absent, run_state::running, run_state::paused, run_state::incoming,
        run_state::postmigrate, run_state::other})
    CHECK(wire::run_state_from_string(wire::to_string(s)) == s);
  using wire::stream_end;
  for (auto e : {stream_end::completed, stream_end::failed, stream_end::cancelled})
    CHECK(wire::stream_end_from_string(wire::to_string(e)) == e);
  CHECK_FALSE(wire::run_state_from_string("Running"));
  CHECK_FALSE(wire::stream_end_from_string(""));
}
