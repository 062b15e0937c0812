// What the session asks on its own account, and of whom: clocks, the cordon, and features.
#include "runtime/wire/features.hpp"
#include "tests/actors/nodes/session_rig.hpp"
#include "tests/support/tickets.hpp"

namespace {

using namespace drover;
using namespace drover::test;
using drover::testing::make_ticket;
using namespace std::chrono_literals;
using session::phase;

wire::hello_reply hello_with(std::string_view feature) {
  auto hello = good_hello();
  hello.features.emplace_back(feature);
  return hello;
}

/// Opened, and greeted by this agent, an hour before this host's clock, within 20 ms.
session_rig greeted_by(wire::hello_reply hello) {
  session_rig rig;
  rig.start();
  rig.opened();
  rig.now += 20ms;
  hello.monotonic = mono_time{(rig.now - 10ms).time_since_epoch() + 1h};
  rig.reply_to_hello(hello);
  REQUIRE(rig.session.at() == phase::up);
  return rig;
}

bool is_last(const session_rig& rig, std::string_view method) {
  return wire::method_name(rig.sent.back().body) == method;
}

std::size_t count(const session_rig& rig, std::string_view method) {
  std::size_t n = 0;
  for (const auto& one : rig.sent)
    n += wire::method_name(one.body) == method ? 1 : 0;
  return n;
}

/// The agent's clock is an hour before this one's; its answer takes so long, half there and back.
void tell_clocks(session_rig& rig, nanoseconds takes) {
  REQUIRE(is_last(rig, "read_clocks"));
  const auto id = rig.sent.back().id;
  rig.now += takes;
  const auto there = (rig.now - takes / 2).time_since_epoch() + 1h;
  rig.reply(
    id,
    wire::clocks{
      mono_time{there}, wall_time{std::chrono::duration_cast<std::chrono::microseconds>(there)}});
}

} // namespace

TEST_CASE("a node's clocks are read a few times, and again after a while", "[pure]") {
  auto rig = greeted_by(hello_with("clocks"));
  for (const auto takes : {4ms, 1ms, 6ms, 2ms, 8ms})
    tell_clocks(rig, takes);
  CHECK(count(rig, "read_clocks") == 5);
  const auto seen = rig.session.clock(rig.now);
  REQUIRE(seen);
  CHECK(seen->ahead == 1h);
  CHECK(seen->error >= 500us);
  CHECK(seen->error < 600us);
  const auto before = rig.now;
  while (count(rig, "read_clocks") == 5) {
    rig.run_to_wake();
    if (is_last(rig, "ping"))
      rig.reply(rig.sent.back().id, wire::accepted{});
  }
  CHECK(rig.now - before <= 21s);
  CHECK(rig.session.at() == phase::up);
}

TEST_CASE(
  "an agent of before 1.1 is not asked for its clocks, and hello tells them once", "[pure]") {
  auto rig = greeted_by(good_hello());
  CHECK(count(rig, "read_clocks") == 0);
  CHECK(rig.session.clock(rig.now)->ahead == 1h);
  CHECK(rig.session.clock(rig.now)->error == 10ms);
}

TEST_CASE("an answer that holds a moment comes with the node's clock", "[pure]") {
  auto rig = greeted_by(good_hello());
  const auto ended = rig.call(wire::await_outcome{{make_ticket(105, 7, "n1", "n2")}});
  rig.reply(ended, wire::outcome{});
  REQUIRE(rig.clocks.contains(ended));
  CHECK(rig.clocks.at(ended)->boot_id == "boot-1");
  const auto listed = rig.call();
  rig.reply(listed);
  CHECK_FALSE(rig.clocks.at(listed));
}

TEST_CASE("an older agent is not asked what it would misunderstand", "[pure]") {
  auto old = good_hello();
  old.version = "0.9";
  auto rig = greeted_by(old);
  wire::receive receive{make_ticket(105, 7, "n1", "n2"), "", {}, false, stream_kind::tls};
  const auto refused = rig.call(receive);
  CHECK(rig.failure_of(refused) == errc::refused);
  CHECK(
    rig.answer_to(refused).error().what == "drover-agent 0.9 of n1 does not know stream-tls; "
                                           "install the version of this controller there, "
                                           "or use --stream plain");
  receive.kind = stream_kind::plain;
  const auto plain = rig.call(receive);
  CHECK(rig.answers[plain].empty());
  CHECK(is_last(rig, "receive"));
}

TEST_CASE("a newer agent of the same major version is welcome", "[pure]") {
  auto newer = hello_with("teleport");
  newer.minor = 9;
  auto rig = greeted_by(newer);
  const auto id = rig.call();
  rig.line(
    R"({"jsonrpc":"2.0","id":")" + id.value +
    R"(","result":{"vm_list":{"vms":[],"cordon":"","mood":"fine"}}})");
  CHECK(rig.answer_to(id));
}

TEST_CASE("the cordon is asked again of the agent that comes next", "[pure]") {
  auto rig = greeted_by(good_hello());
  const auto asked = rig.call(wire::cordon{"evacuate"});
  rig.reply(asked, wire::accepted{});
  rig.closed();
  rig.run_to_wake();
  rig.opened();
  auto next = good_hello();
  next.agent_pid = 101;
  rig.reply_to_hello(next);
  REQUIRE(is_last(rig, "cordon"));
  CHECK(std::get<wire::cordon>(rig.sent.back().body).reason == "evacuate");
  rig.reply(rig.sent.back().id, wire::accepted{});
  CHECK(rig.drops.empty());

  const auto taken_back = rig.call(wire::uncordon{});
  rig.reply(taken_back, wire::accepted{});
  rig.closed();
  rig.run_to_wake();
  rig.opened();
  next.agent_pid = 102;
  rig.reply_to_hello(next);
  CHECK(is_last(rig, "hello"));
}

TEST_CASE("a login that is refused again and again answers what waits", "[pure]") {
  session_rig rig;
  rig.start();
  const auto id = rig.call();
  for (int i = 0; i < 3; ++i) {
    CHECK(rig.answers[id].empty());
    rig.take(rig.session.closed({errc::refused, "does not accept the key", {}}, rig.now));
    rig.run_to_wake();
  }
  CHECK(rig.failure_of(id) == errc::refused);
  CHECK(rig.answer_to(id).error().what == "does not accept the key");
}
