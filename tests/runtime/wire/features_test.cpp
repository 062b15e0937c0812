// Two versions of one major number: what an older one has not said, and what a newer one adds.
#include "runtime/wire/codec.hpp"
#include "runtime/wire/features.hpp"
#include "tests/support/tickets.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace drover;
using drover::testing::make_ticket;

namespace {

std::string result_line(const std::string& body) {
  return R"({"jsonrpc":"2.0","id":"c-1","result":)" + body + "}";
}

template <class T>
T read_reply(const std::string& body) {
  const auto message = wire::decode_from_agent(result_line(body));
  INFO((message ? "" : to_string(message.error())));
  REQUIRE(message);
  const auto& reply = std::get<wire::reply>(*message);
  REQUIRE(reply.body);
  return std::get<T>(*reply.body);
}

} // namespace

TEST_CASE("what an agent of before 1.1 answers is read") {
  const auto hello = read_reply<wire::hello_reply>(
    R"({"hello_reply":{"protocol":1,"node":"n1","boot_id":"b","version":"0.9","hypervisor":"q",)"
    R"("features":[],"agent_pid":1,"memory_bytes":1,"cores":1,"monotonic":5,"wall":6}})");
  CHECK_FALSE(hello.minor);
  CHECK(wire::version_text(hello.protocol, hello.minor) == "1.0");
  const auto offer = read_reply<wire::stream_offer>(
    R"({"stream_offer":{"host":"h","port":1,"token":"t","barrier_wait_us":2,"boot_id":"b"}})");
  CHECK_FALSE(offer.key);
  CHECK_FALSE(offer.channels);
  const auto outcome = read_reply<wire::outcome>(
    R"({"outcome":{"end":"completed","reason":"","transferred_bytes":7}})");
  CHECK_FALSE(outcome.clock_shift);
  const auto taken =
    read_reply<wire::taken_over>(R"({"taken_over":{"state":"running","raced":false}})");
  CHECK_FALSE(taken.clock_shift);
}

TEST_CASE("what a controller of before 1.1 asks is read, and means a plain stream") {
  const auto ticket = R"({"vm":1,"number":2,"source":"n1","target":"n2","how":"ticket"})";
  const auto read = [](const std::string& method, const std::string& params) {
    auto asked = wire::decode_request(
      R"({"jsonrpc":"2.0","id":"c-1","method":")" + method + R"(","deadline_ms":5,"params":)" +
      params + "}");
    INFO((asked ? "" : to_string(asked.error())));
    REQUIRE(asked);
    return asked->body;
  };
  const auto hello = read("hello", R"({"protocol":1,"controller":"c:1"})");
  CHECK_FALSE(std::get<wire::hello>(hello).minor);
  const auto receive = read(
    "receive", std::string{R"({"evidence":)"} + ticket +
                 R"(,"config":"","facts":{"machine":"","cpu":"","cpus":1,"memory_bytes":1,)"
                 R"("uuid":"","devices":[]},"was_paused":false})");
  CHECK_FALSE(std::get<wire::receive>(receive).kind);
  CHECK_FALSE(std::get<wire::receive>(receive).channels);
  CHECK(wire::needed_feature(receive).empty());
  const auto stream = read(
    "stream", std::string{R"({"evidence":)"} + ticket +
                R"(,"host":"h","port":1,"token":"t","bandwidth_bytes_per_s":0,)"
                R"("downtime_limit_ms":1,"target_boot_id":"b"})");
  CHECK_FALSE(std::get<wire::stream>(stream).key);
  CHECK_FALSE(std::get<wire::stream>(stream).channels);
  CHECK(wire::needed_feature(stream).empty());
}

TEST_CASE("what a newer peer adds is passed over") {
  const auto clocks = read_reply<wire::clocks>(R"({"clocks":{"monotonic":1,"wall":2,"moon":3}})");
  CHECK(clocks.wall == wall_time{std::chrono::microseconds{2}});
}

TEST_CASE("a word that a newer agent has for a state or an error is read as one that is unknown") {
  const auto status = read_reply<wire::vm_status>(R"({"vm_status":{"vm":1,"state":"dreaming"}})");
  CHECK(status.state == wire::run_state::other);
  const auto message = wire::decode_from_agent(
    R"({"jsonrpc":"2.0","id":"c-1","error":{"code":-32050,"message":"too late in the year",)"
    R"("data":{"code":"out_of_season","context":"winter"}}})");
  REQUIRE(message);
  const auto& failure = std::get<wire::reply>(*message).body;
  REQUIRE_FALSE(failure);
  CHECK(failure.error() == error{errc::bug, "too late in the year", "winter"});
}

TEST_CASE("of a hello of another major version the versions are read, whatever else it says") {
  const auto body = GENERATE(
    as<std::string>{}, R"({"protocol":2,"minor":3,"version":"2.1","host":{"name":"n1"}})",
    R"({"protocol":2,"minor":3,"version":"2.1","node":["n1"],"features":"all"})");
  const auto told = read_reply<wire::hello_reply>(R"({"hello_reply":)" + body + "}");
  CHECK(told.version == "2.1");
  CHECK(wire::version_text(told.protocol, told.minor) == "2.3");
  const auto asked = wire::decode_request(
    R"({"jsonrpc":"2.0","id":"c-1","method":"hello","params":{"protocol":3,"who":{"pid":1}}})");
  REQUIRE(asked);
  CHECK(asked->id == request_id{"c-1"});
  CHECK(std::get<wire::hello>(asked->body).protocol == 3);
}

TEST_CASE("a hello of this major version is read strictly") {
  const auto lacking = GENERATE(
    as<std::string>{}, R"({"hello_reply":{"protocol":1,"version":"2.1"}})",
    R"({"hello_reply":{"protocol":"2"}})", R"({"hello_reply":[]})",
    R"({"vm_list":{"protocol":2}})");
  CHECK_FALSE(wire::decode_from_agent(result_line(lacking)));
  for (const auto* line :
       {R"({"jsonrpc":"2.0","id":"c-1","method":"hello","params":{"protocol":1}})",
        R"({"jsonrpc":"2.0","id":"c-1","method":"ping2","params":{"protocol":2}})",
        R"({"jsonrpc":"2.0","id":"c-1","method":["hello"],"params":{"protocol":2}})",
        R"([{"method":"hello"}])", R"({"method":"hello","params":{"protocol":2}})"}) {
    INFO(line);
    CHECK_FALSE(wire::decode_request(line));
  }
}

TEST_CASE("what is lost without a feature is told, of every one that there is") {
  for (const auto name : wire::features_here)
    CHECK(wire::loss_without(name) != wire::loss_without("teleport"));
}

TEST_CASE("what came later needs its feature, and each has its own word") {
  const auto t = make_ticket(1, 2, "n1", "n2");
  CHECK(wire::needed_feature(wire::read_clocks{}) == "clocks");
  CHECK(wire::needed_feature(wire::receive{t, {}, {}, false}) == "stream-tls");
  wire::stream stream{t, "h", 1, "t", 0, 0, "b"};
  CHECK(wire::needed_feature(stream).empty());
  stream.key = "k";
  CHECK(wire::needed_feature(stream) == "stream-tls");
  stream.channels = 4;
  CHECK(wire::needed_feature(stream) == "stream-channels");
  // A target that does not know them offers one stream, and that is seen in its offer.
  wire::receive receive{t, {}, {}, false, stream_kind::plain, 4};
  CHECK(wire::needed_feature(receive).empty());
  CHECK(wire::needed_feature(wire::ping{}).empty());
  wire::continue_source go_on{t, {}};
  CHECK(wire::needed_feature(go_on).empty());
  go_on.assurance = "the operator";
  for (const wire::request_body& later :
       {wire::request_body{go_on}, wire::request_body{wire::inspect_handovers{}},
        wire::request_body{wire::discard_copy{{t}}}, wire::request_body{wire::close_handover{{t}}},
        wire::request_body{wire::forget_vm{vm_id{1}}}})
    CHECK(wire::needed_feature(later) == "recovery");
  const std::set<std::string_view> words(wire::features_here.begin(), wire::features_here.end());
  CHECK(words.size() == wire::features_here.size());
}
