#include "runtime/hypervisor/qmp_session.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace drover {

namespace {

const std::string greeting =
  R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, )"
  R"("capabilities": ["oob"]}})"
  "\r\n";
const std::string negotiated = "{\"return\": {}}\r\n";

/// All commands that may be written now, as one text.
std::string output(qmp_session& session) {
  std::string all;
  while (auto next = session.next_output())
    all += next->bytes;
  return all;
}

qmp_session ready_session() {
  qmp_session session;
  REQUIRE(session.receive(greeting));
  output(session);
  REQUIRE(session.receive(negotiated));
  REQUIRE(session.is_ready());
  return session;
}

template <class Item>
Item only(const result<std::vector<qmp_item>>& items) {
  REQUIRE(items);
  REQUIRE(items->size() == 1);
  REQUIRE(std::holds_alternative<Item>(items->front()));
  return std::get<Item>(items->front());
}

} // namespace

TEST_CASE("commands wait for the greeting and follow the negotiation in their order") {
  qmp_session session;
  const auto first = session.send("query-status");
  session.send("getfd", {{"fdname", "stream"}});
  CHECK(session.is_held(first));
  CHECK(output(session).empty());
  const auto items = session.receive(greeting);
  REQUIRE(items);
  CHECK(items->empty());
  CHECK(
    output(session) == "{\"execute\":\"qmp_capabilities\"}\n"
                       "{\"execute\":\"query-status\"}\n"
                       "{\"arguments\":{\"fdname\":\"stream\"},\"execute\":\"getfd\"}\n");
  CHECK_FALSE(session.is_held(first));
  CHECK_FALSE(session.is_ready());
  CHECK(only<qmp_ready>(session.receive(negotiated)).version == "7.2.22");
  CHECK(session.is_ready());
}

TEST_CASE("a command that was withdrawn before the greeting is never written") {
  qmp_session session;
  const auto id = session.send("cont");
  CHECK(session.withdraw(id));
  CHECK_FALSE(session.withdraw(id));
  REQUIRE(session.receive(greeting));
  CHECK(output(session).find("cont") == std::string::npos);
}

TEST_CASE("replies are told by the ids of their commands, whose order they come in") {
  auto session = ready_session();
  const auto a = session.send("query-status");
  const auto withdrawn = session.send("stop");
  CHECK(session.withdraw(withdrawn));
  const auto b = session.send("cont");
  output(session);
  const auto items = session.receive(
    "{\"return\": {\"status\": \"running\"}}\n"
    "{\"event\": \"RESUME\"}\n"
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Failed to get \\\"write\\\" "
    "lock\"}}\n");
  REQUIRE(items);
  REQUIRE(items->size() == 3);
  const auto& status = std::get<qmp_reply>((*items)[0]);
  CHECK(status.id == a);
  CHECK(status.body->at("status") == "running");
  const auto& refused = std::get<qmp_reply>((*items)[2]);
  CHECK(refused.id == b);
  CHECK(refused.body.error() == error{errc::refused, "Failed to get \"write\" lock", ""});
}

TEST_CASE("a reply to a command that was not written yet is no QMP") {
  auto session = ready_session();
  session.send("query-status");
  const auto items = session.receive("{\"return\": {}}\n");
  REQUIRE_FALSE(items);
  CHECK(items.error().what == "QMP reply to nothing");
}

TEST_CASE("events carry their name, data and QEMU's time") {
  auto session = ready_session();
  const auto event = only<qmp_event>(
    session.receive(R"({"timestamp": {"seconds": 1700000000, "microseconds": 250001}, )"
                    R"("event": "MIGRATION", "data": {"status": "completed"}})"
                    "\n"));
  CHECK(event.name == "MIGRATION");
  CHECK(event.data.at("status") == "completed");
  CHECK(event.at.time_since_epoch().count() == 1'700'000'000'250'001);
}

TEST_CASE("a line may come in any pieces") {
  const std::string all =
    negotiated + R"({"event": "STOP"})" + "\n" + "\r\n" + R"({"return": 1})" + "\n";
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    qmp_session session;
    session.send("query-status");
    for (const char letter : greeting)
      REQUIRE(session.receive({&letter, 1}));
    output(session);
    std::vector<qmp_item> items;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      auto some = session.receive(std::string_view(all).substr(at, piece));
      REQUIRE(some);
      items.insert(items.end(), some->begin(), some->end());
    }
    REQUIRE(items.size() == 3);
    CHECK(std::holds_alternative<qmp_ready>(items[0]));
    CHECK(std::get<qmp_event>(items[1]).name == "STOP");
    CHECK(std::get<qmp_reply>(items[2]).id == 1);
  }
}

TEST_CASE("what is no QMP is invalid, quotes the line, and ends the session") {
  const auto broken = GENERATE(
    as<std::string>{}, "hello\n", "[1]\n", "{}\n", "{\"id\": 1}\n", "{\"return\": {}}\n",
    "{\"event\n", "\xff\xfe\n", "{\"error\": {\"class\": \"GenericError\"}}\n");
  auto session = ready_session();
  const auto items = session.receive(broken);
  REQUIRE_FALSE(items);
  CHECK(items.error().code == errc::invalid);
  CHECK(items.error().context == broken.substr(0, broken.size() - 1));
  session.send("query-status");
  CHECK_FALSE(session.next_output());
  CHECK_FALSE(session.receive(negotiated));
}

TEST_CASE("a connection that does not begin with a greeting is no QMP") {
  const auto first = GENERATE(
    as<std::string>{}, "{\"event\": \"STOP\"}\n", "{\"QMP\": 7}\n", "{\"return\": {}}\n",
    "SSH-2.0-x\r\n");
  qmp_session session;
  CHECK(session.receive(first).error().code == errc::invalid);
}

TEST_CASE("a refused negotiation is an error") {
  qmp_session session;
  REQUIRE(session.receive(greeting));
  output(session);
  const auto items = session.receive(R"({"error": {"desc": "no"}})"
                                     "\n");
  REQUIRE_FALSE(items);
  CHECK(items.error().what == "QMP negotiation failed: no");
}

TEST_CASE("a line without an end is an error, not memory without an end") {
  auto session = ready_session();
  const std::string piece(1U << 20U, 'x');
  result<std::vector<qmp_item>> last;
  std::size_t pieces = 0;
  while ((last = session.receive(piece)))
    REQUIRE(++pieces * piece.size() <= qmp_session::line_bytes_max);
  CHECK(last.error().what == "QMP line is too long");
}

TEST_CASE("odd members of an event do not disturb it") {
  auto session = ready_session();
  const auto event = only<qmp_event>(
    session.receive("{\"event\": 5, \"timestamp\": {\"seconds\": \"x\"}, \"data\": []}\n"));
  CHECK(event.name.empty());
  CHECK(event.at == wall_time{});
}

} // namespace drover
