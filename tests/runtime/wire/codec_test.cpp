// Round trips of every message, and what the codec says about broken lines.
#include "runtime/wire/codec.hpp"

#include "runtime/wire/json_fields.hpp"
#include "tests/runtime/wire/wire_samples.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

namespace {

using namespace drover;
using nlohmann::json;

constexpr const char* good_line =
  R"({"jsonrpc":"2.0","id":"c1-7","method":"take_over","deadline_ms":5000,"params":{"evidence":)"
  R"({"vm":105,"number":7,"source":"n1","target":"n2","how":"ticket"}}})";

struct broken_line {
  std::string line;
  std::string what; ///< the error begins with this
};

/// `good_line` with one member replaced; a discarded value takes it away.
std::string with(const char* pointer, const json& value) {
  json line = json::parse(good_line);
  const json::json_pointer at(pointer);
  if (value.is_discarded())
    line.at(at.parent_pointer()).erase(at.back());
  else
    line[at] = value;
  return line.dump();
}

const json absent(json::value_t::discarded);

} // namespace

TEST_CASE("every request comes back from its line as it was", "[pure]") {
  std::set<std::string> names;
  for (const auto& body : test::one_of_each<wire::request_body>()) {
    const wire::request sent{request_id("c1-7"), milliseconds(5000), body};
    const auto line = wire::encode(sent);
    CAPTURE(line);
    CHECK(line.find('\n') == std::string::npos);
    const auto got = wire::decode_request(line);
    REQUIRE(got);
    CHECK(got->id == sent.id);
    CHECK(got->deadline == sent.deadline);
    CHECK(got->body.index() == body.index());
    CHECK(wire::encode(*got) == line);
    CHECK(wire::id_of(line) == sent.id);
    names.insert(std::string(wire::method_name(body)));
  }
  CHECK(names.size() == std::variant_size_v<wire::request_body>);
}

TEST_CASE("every reply comes back from its line without its request", "[pure]") {
  std::set<std::string> names;
  for (const auto& body : test::one_of_each<wire::reply_body>()) {
    const auto line = wire::encode(wire::reply{request_id("c1-8"), body});
    CAPTURE(line);
    CHECK(line.find('\n') == std::string::npos);
    const auto got = wire::decode_from_agent(line);
    REQUIRE(got);
    const auto* reply = std::get_if<wire::reply>(&*got);
    REQUIRE(reply);
    CHECK(reply->id == request_id("c1-8"));
    REQUIRE(reply->body);
    CHECK(reply->body->index() == body.index());
    CHECK(wire::encode(*reply) == line);
    names.insert(std::string(wire::type_name(body)));
  }
  CHECK(names.size() == std::variant_size_v<wire::reply_body>);
}

TEST_CASE("a filled field never goes missing on its way", "[pure]") {
  // A sample and a default value differ in every field; so must their lines.
  const auto filled = test::sample_maker().make<wire::begun>();
  const auto line = wire::encode(wire::reply{request_id("x"), filled});
  const auto fields = json::parse(line)["result"]["begun"];
  CHECK(fields["facts"]["devices"].size() == 2);
  CHECK(fields["was_paused"] == true);
  CHECK(fields["config"] == filled.config);
  CHECK(fields["evidence"]["target"] == filled.evidence.target().value);
  CHECK(fields["bandwidth_bytes_per_s"] == filled.bandwidth_bytes_per_s);
}

TEST_CASE("every notice comes back from its line as it was", "[pure]") {
  for (const auto& sent : test::one_of_each<wire::notice>()) {
    const auto line = wire::encode(sent);
    const auto got = wire::decode_from_agent(line);
    REQUIRE(got);
    const auto* notice = std::get_if<wire::notice>(&*got);
    REQUIRE(notice);
    CHECK(notice->index() == sent.index());
    CHECK(wire::encode(*notice) == line);
    CHECK_FALSE(wire::id_of(line));
  }
}

TEST_CASE("every error code crosses the wire with its text and context", "[pure]") {
  for (auto code :
       {errc::retry, errc::refused, errc::lost, errc::timeout, errc::conflict, errc::invalid,
        errc::bug}) {
    const error sent{code, "what \"happened\"", "vm 105"};
    const auto line = wire::encode(wire::reply{request_id("c1-9"), tl::unexpected<error>(sent)});
    const auto got = wire::decode_from_agent(line);
    REQUIRE(got);
    CHECK(std::get<wire::reply>(*got).body.error() == sent);
    CHECK(json::parse(line)["error"]["code"] < -32000);
  }
}

TEST_CASE("an error for a line without an id is answered with the id null", "[pure]") {
  const auto line = wire::encode(wire::reply{{}, fail(errc::invalid, "garbage")});
  CHECK(json::parse(line)["id"].is_null());
  const auto got = wire::decode_from_agent(line);
  REQUIRE(got);
  CHECK(std::get<wire::reply>(*got).id == request_id());
}

TEST_CASE("a reply belongs to the requests that it can answer", "[pure]") {
  CHECK(wire::answers(wire::ping{}, wire::accepted{}));
  CHECK(wire::answers(wire::hello{}, wire::hello_reply{}));
  CHECK_FALSE(wire::answers(wire::hello{}, wire::accepted{}));
  for (const auto& asked : test::one_of_each<wire::request_body>()) {
    const auto replies = test::one_of_each<wire::reply_body>();
    CHECK(std::count_if(replies.begin(), replies.end(), [&](const auto& r) {
            return wire::answers(asked, r);
          }) == 1);
  }
}

TEST_CASE("text that is not UTF-8 does not break a line", "[pure]") {
  const auto line =
    wire::encode(wire::reply{request_id("x"), fail(errc::bug, "bad \xff\xfe byte", "\xc3")});
  REQUIRE(wire::decode_from_agent(line));
}

TEST_CASE("a newer agent's extra fields are ignored", "[pure]") {
  const auto got = wire::decode_from_agent(
    R"({"jsonrpc":"2.0","id":"c","result":{"vm_status":{"vm":105,"state":"running","mood":1}}})");
  REQUIRE(got);
  CHECK(wire::decode_request(with("/params/evidence/seal", "x")));
  CHECK(wire::decode_request(with("/trace_parent", "x")));
}

TEST_CASE("a request without parameters needs no params member", "[pure]") {
  CHECK(wire::decode_request(R"({"jsonrpc":"2.0","id":"c","method":"ping","deadline_ms":0})"));
}

TEST_CASE("a broken request is an error that names its place", "[pure]") {
  const std::string good = good_line;
  REQUIRE(wire::decode_request(good));
  const std::vector<broken_line> rows{
    {"", "line 1, column 1: not JSON"},
    {" ", "line 1, column 2: not JSON"},
    {"hello", "line 1, column 1: not JSON"},
    {good.substr(0, good.size() - 1), "line 1, column "},
    {good.substr(0, good.size() / 2), "line 1, column "},
    {good.substr(1), "line 1, column "},
    {good + "}", "line 1, column "},
    {good + good, "line 1, column "},
    {"{'id':1}", "line 1, column 2: not JSON"},
    {"\xff\xfe{}", "line 1, column 1: not JSON"},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"\xc3(\"}", "line 1, column "},
    {std::string("{\"jsonrpc\":\"2.0\"\0}", 18), "line 1, column "},
    {"null", "/: expected an object"},
    {"[]", "/: expected an object"},
    {"[" + good + "]", "/: expected an object"},
    {"\"take_over\"", "/: expected an object"},
    {"7", "/: expected an object"},
    {"1e999", "not JSON: a number is out of range"},
    {"{}", "/jsonrpc: expected \"2.0\""},
    {with("/jsonrpc", "1.0"), "/jsonrpc: expected \"2.0\""},
    {with("/jsonrpc", 2.0), "/jsonrpc: expected \"2.0\""},
    {with("/jsonrpc", absent), "/jsonrpc: expected \"2.0\""},
    {with("/id", absent), "/id: is missing"},
    {with("/id", nullptr), "/id: expected a string, found null"},
    {with("/id", 7), "/id: expected a string, found 7"},
    {with("/id", ""), "/id: expected 1 to 200 bytes"},
    {with("/id", std::string(201, 'x')), "/id: expected 1 to 200 bytes"},
    {with("/method", absent), "/method: is missing"},
    {with("/method", json::array()), "/method: expected a string, found a list"},
    {with("/method", ""), "/method: unknown method ''"},
    {with("/method", "resume_nocheck"), "/method: unknown method 'resume_nocheck'"},
    {with("/method", "stream_progress"), "/method: unknown method 'stream_progress'"},
    {with("/deadline_ms", absent), "/deadline_ms: is missing"},
    {with("/deadline_ms", -1), "/deadline_ms: expected a whole number from 0"},
    {with("/deadline_ms", 1.5), "/deadline_ms: expected a whole number, found 1.5"},
    {with("/deadline_ms", "5000"), "/deadline_ms: expected a whole number"},
    {with("/deadline_ms", 18446744073709551615u), "/deadline_ms: expected a whole number from 0"},
    {with("/deadline_ms", 9000000000000), "/deadline_ms: expected at most 604800000"},
    {with("/params", absent), "/params/evidence: is missing"},
    {with("/params", nullptr), "/params: expected an object, found null"},
    {with("/params", json::array()), "/params: expected an object, found a list"},
    {with("/params/evidence", "105"), "/params/evidence: expected an object"},
    {with("/params/evidence/vm", -105), "/params/evidence/vm: expected a whole number from 0"},
    {with("/params/evidence/vm", 4294967296), "/params/evidence/vm: expected a whole number from"},
    {with("/params/evidence/number", "seven"),
     "/params/evidence/number: expected a whole number, found \"seven\""},
    {with("/params/evidence/number", -1), "/params/evidence/number: expected a whole number from"},
    {with("/params/evidence/number", 7.5), "/params/evidence/number: expected a whole number"},
    {with("/params/evidence/number", absent), "/params/evidence/number: is missing"},
    {with("/params/evidence/source", 1), "/params/evidence/source: expected a string, found 1"},
    {with("/params/evidence/how", "nochecks"),
     "/params/evidence/how: expected one of check, nocheck, lock, early, claim, ticket"},
    {with("/params/evidence/how", true), "/params/evidence/how: expected one of"},
    {std::string(1000000, '{'), "line 1, column "},
    {std::string(1000000, '['), "line 1, column "},
  };
  for (const auto& row : rows) {
    const auto start = row.line.substr(0, 120);
    CAPTURE(start);
    const auto got = wire::decode_request(row.line);
    REQUIRE_FALSE(got);
    CAPTURE(got.error().what);
    CHECK(got.error().code == errc::invalid);
    CHECK(got.error().what.starts_with(row.what));
    CHECK(got.error().what.size() < 320);
    CHECK(got.error().context.size() <= wire::quoted_chars_max + 5);
  }
}

TEST_CASE("a broken line of an agent is an error that names its place", "[pure]") {
  const std::vector<broken_line> rows{
    {"{}", "/jsonrpc: expected \"2.0\""},
    {R"({"jsonrpc":"2.0"})", "/id: is missing"},
    {R"({"jsonrpc":"2.0","id":"c"})", "/: expected one of result and error"},
    {R"({"jsonrpc":"2.0","id":"c","result":{"accepted":{}},"error":{}})",
     "/: expected one of result and error"},
    {R"({"jsonrpc":"2.0","id":7,"result":{"accepted":{}}})", "/id: expected a string, found 7"},
    {R"({"jsonrpc":"2.0","id":"c","result":null})", "/result: expected an object with one member"},
    {R"({"jsonrpc":"2.0","id":"c","result":{}})", "/result: expected an object with one member"},
    {R"({"jsonrpc":"2.0","id":"c","result":{"accepted":{},"claimed":{"at":1}}})",
     "/result: expected an object with one member"},
    {R"({"jsonrpc":"2.0","id":"c","result":{"resumed":{}}})", "/result: unknown reply 'resumed'"},
    {R"({"jsonrpc":"2.0","id":"c","result":{"claimed":{}}})", "/result/claimed/at: is missing"},
    {R"({"jsonrpc":"2.0","id":"c","result":{"claimed":{"at":-1}}})",
     "/result/claimed/at: expected a whole number from 0"},
    {R"({"jsonrpc":"2.0","id":"c","result":{"vm_status":{"vm":1,"state":5}}})",
     "/result/vm_status/state: expected one of absent, running, paused, incoming, postmigrate, "
     "other, found 5"},
    {R"({"jsonrpc":"2.0","id":"c","result":{"outcome":{"end":"done"}}})",
     "/result/outcome/end: expected one of completed, failed, cancelled"},
    {R"({"jsonrpc":"2.0","id":"c","error":"no"})", "/error: expected an object"},
    {R"({"jsonrpc":"2.0","id":"c","error":{"message":"no"}})", "/error/data: is missing"},
    {R"({"jsonrpc":"2.0","id":"c","error":{"message":"no","data":{"code":5,"context":""}}})",
     "/error/data/code: expected a string, found 5"},
    {R"({"jsonrpc":"2.0","method":"gossip","params":{}})", "/method: unknown method 'gossip'"},
    {R"({"jsonrpc":"2.0","method":"stream_progress"})", "/params/vm: is missing"},
    {R"({"jsonrpc":"2.0","id":"c","method":"ping","params":{}})", "/id: an agent asks nothing"},
    {"warning: something printed on the agent's output", "line 1, column 1: not JSON"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.line);
    const auto got = wire::decode_from_agent(row.line);
    REQUIRE_FALSE(got);
    CAPTURE(got.error().what);
    CHECK(got.error().code == errc::invalid);
    CHECK(got.error().what.starts_with(row.what));
  }
}

TEST_CASE("the id of a bad request is found where it can be read", "[pure]") {
  CHECK(wire::id_of(with("/method", "nonsense")) == request_id("c1-7"));
  CHECK(wire::id_of(with("/params", 3)) == request_id("c1-7"));
  CHECK_FALSE(wire::id_of(with("/id", 3)));
  CHECK_FALSE(wire::id_of(with("/id", std::string(201, 'x'))));
  CHECK_FALSE(wire::id_of("{\"id\":\"c1-7\""));
  CHECK_FALSE(wire::id_of("[1]"));
  CHECK_FALSE(wire::id_of(std::string(100000, '[')));
}

TEST_CASE("a quoted line is printable and cut short", "[pure]") {
  const auto got = wire::decode_request("\x1b[31m" + std::string(500, 'x'));
  REQUIRE_FALSE(got);
  CHECK(got.error().context == "'?[31m" + std::string(75, 'x') + "'...");
}
