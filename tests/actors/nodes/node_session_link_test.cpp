// The session's rules about the link: hello, silence, back-off.
#include "runtime/wire/features.hpp"
#include "tests/actors/nodes/session_rig.hpp"

#include <algorithm>

namespace {

using namespace drover;
using session::link_state;
using session::phase;
using test::rig_in;
using test::session_rig;

} // namespace

TEST_CASE("a hello that cannot be read is refused", "[pure]") {
  auto rig = rig_in(phase::greeting);
  rig.line(R"({"jsonrpc":"2.0","id":")" + rig.sent[0].id.value + R"(","result":{}})");
  CHECK(rig.session.at() == phase::closing);
}

TEST_CASE("a hello of another major version is refused by name, whatever else it says", "[pure]") {
  session_rig rig;
  const auto id = rig.call();
  rig.start();
  for (int n = 1; n <= 3; ++n) {
    rig.opened();
    rig.line(
      R"({"jsonrpc":"2.0","id":")" + rig.sent.back().id.value +
      R"(","result":{"hello_reply":{"protocol":3,"minor":4,"version":"9.9","hosts":[]}}})");
    rig.closed("closed as asked");
    rig.run_to_wake();
  }
  CHECK(rig.failure_of(id) == errc::refused);
  CHECK_THAT(
    rig.answer_to(id).error().what, Catch::StartsWith("the agent speaks protocol 3.4, this "));
  CHECK(rig.answer_to(id).error().context == "n1, drover-agent 9.9");
}

TEST_CASE("an agent of another protocol or node is refused after a few tries", "[pure]") {
  auto other_protocol = test::good_hello();
  other_protocol.protocol = 2;
  auto other_node = test::good_hello();
  other_node.node = node_id("n7");
  struct row {
    result<wire::reply_body> hello;
    errc code;
    std::string what;
  };
  const auto own = wire::version_text(wire::protocol_version, wire::protocol_minor);
  const std::vector<row> rows{
    {other_protocol, errc::refused,
     "the agent speaks protocol 2.0, this controller " + own +
       "; install the same version of drover here and there"},
    {other_node, errc::refused, "the agent at the link's other end is of node n7"},
    {fail(errc::refused, "no controller wanted"), errc::refused, "no controller wanted"},
    {fail(errc::invalid, "what?"), errc::invalid, "what?"},
    {wire::reply_body(wire::accepted{}), errc::bug, "hello was answered by accepted"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.what);
    session_rig rig;
    const auto id = rig.call();
    rig.start();
    for (int n = 1; n <= 3; ++n) {
      CHECK(rig.answers[id].empty());
      rig.opened();
      rig.reply_to_hello(r.hello);
      CHECK(rig.closes == n);
      rig.closed("closed as asked");
      REQUIRE(rig.session.at() == phase::waiting);
      rig.run_to_wake();
    }
    CHECK(rig.failure_of(id) == r.code);
    CHECK(rig.answer_to(id).error().what == r.what);
    // Told once, as the reason of this side and not of the driver that closed.
    REQUIRE(rig.states.size() == 1);
    CHECK(rig.states[0].reason.starts_with(r.what));
    // A call that comes later hears it at the next try; a better agent is still welcome.
    const auto later = rig.call();
    rig.opened();
    rig.reply_to_hello(r.hello);
    CHECK(rig.failure_of(later) == r.code);
    rig.closed();
    rig.bring_up();
  }
}

TEST_CASE("a node held by another controller is tried until the deadline", "[pure]") {
  session_rig rig;
  const auto hopeless = rig.call(wire::list_vms{}, 5000), patient = rig.call();
  rig.start();
  while (rig.answers[hopeless].empty()) {
    rig.opened();
    rig.reply_to_hello(fail(errc::conflict, "another agent holds the node", "pid 77"));
    rig.closed();
    rig.run_to_wake();
  }
  CHECK(
    rig.answer_to(hopeless).error() ==
    error{errc::conflict, "another agent holds the node", "pid 77"});
  CHECK(rig.opens > 4);
  CHECK(rig.answers[patient].empty());
  while (rig.session.at() == phase::waiting)
    rig.run_to_wake();
  rig.bring_up();
  rig.reply(patient);
  CHECK(rig.answer_to(patient));
}

TEST_CASE("a refusal of the past does not explain a later timeout", "[pure]") {
  auto rig = rig_in(phase::closing);
  rig.closed();
  rig.run_to_wake();
  rig.closed("no such file");
  const auto id = rig.call(wire::list_vms{}, 10);
  rig.pass(10);
  CHECK(rig.failure_of(id) == errc::timeout);
  CHECK(rig.answer_to(id).error().context == "never sent, link waiting: no such file");
}

TEST_CASE("calls that were sent before a refused hello end as unknown", "[pure]") {
  session_rig rig;
  rig.bring_up();
  const auto sent = rig.call();
  rig.closed();
  const auto fresh = rig.call();
  for (int n = 0; n < 3; ++n) {
    rig.run_to_wake();
    rig.opened();
    rig.reply_to_hello(fail(errc::refused, "no"));
    rig.closed();
  }
  CHECK(rig.failure_of(sent) == errc::lost);
  CHECK(rig.failure_of(fresh) == errc::refused);
}

TEST_CASE("silence is met by a ping after 5 s and by closing after 15 s", "[pure]") {
  session_rig rig;
  rig.bring_up();
  rig.pass(4999);
  CHECK(rig.sent.size() == 1);
  rig.pass(1);
  REQUIRE(rig.sent.size() == 2);
  CHECK(std::holds_alternative<wire::ping>(rig.sent[1].body));
  rig.pass(9999);
  CHECK(rig.closes == 0);
  rig.pass(1);
  CHECK(rig.closes == 1);
  CHECK(rig.states.back().reason == "no sign of life from the agent (15 s)");
  const auto id = rig.call(wire::list_vms{}, 100);
  rig.closed("driver's words");
  CHECK(rig.states.back().reason == "no sign of life from the agent (15 s)");
  CHECK(rig.answers[id].empty());
}

TEST_CASE("other timers neither repeat a ping nor put off its end", "[pure]") {
  session_rig rig;
  rig.bring_up();
  for (std::int64_t wait = 500; wait < 14900; wait += 500)
    rig.call(wire::list_vms{}, wait);
  rig.pass(14999);
  CHECK(rig.closes == 0);
  CHECK(std::count_if(rig.sent.begin(), rig.sent.end(), [](const auto& r) {
          return std::holds_alternative<wire::ping>(r.body);
        }) == 1);
  rig.pass(1);
  CHECK(rig.closes == 1);
}

TEST_CASE("an answered ping keeps the link and is nobody's answer", "[pure]") {
  session_rig rig;
  rig.bring_up();
  for (int n = 0; n < 20; ++n) {
    rig.pass(5000);
    REQUIRE(std::holds_alternative<wire::ping>(rig.sent.back().body));
    rig.pass(3);
    rig.reply(rig.sent.back().id, wire::accepted{});
  }
  CHECK(rig.session.at() == phase::up);
  CHECK(rig.drops.empty());
  CHECK(rig.answers.empty());
}

TEST_CASE("any line is a sign of life", "[pure]") {
  session_rig rig;
  rig.bring_up();
  for (int n = 0; n < 10; ++n) {
    rig.pass(4900);
    rig.line(wire::encode(wire::notice(wire::stream_progress{})));
  }
  CHECK(rig.sent.size() == 1);
  CHECK(rig.notices.size() == 10);
}

TEST_CASE("a controller that slept does not blame the agent", "[pure]") {
  session_rig rig;
  rig.bring_up();
  rig.now += std::chrono::hours(1);
  rig.run_to_wake();
  CHECK(rig.session.at() == phase::up);
  rig.reply(rig.sent.back().id, wire::accepted{});
  rig.pass(1000);
  CHECK(rig.session.at() == phase::up);
}

TEST_CASE("the back-off doubles from 50 ms to 2 s and starts anew after a stable link", "[pure]") {
  session_rig rig;
  rig.start();
  std::vector<std::int64_t> waits;
  for (int n = 0; n < 8; ++n) {
    rig.closed();
    const auto before = rig.now;
    rig.run_to_wake();
    waits.push_back(std::chrono::duration_cast<milliseconds>(rig.now - before).count());
  }
  CHECK(waits == std::vector<std::int64_t>{50, 100, 200, 400, 800, 1600, 2000, 2000});
  rig.opened();
  rig.reply_to_hello();
  rig.pass(1999);
  rig.closed();
  CHECK(rig.wake == rig.now + milliseconds(2000));
  rig.bring_up();
  rig.pass(2000);
  rig.closed();
  CHECK(rig.wake == rig.now + milliseconds(50));
}

TEST_CASE("jitter shortens the back-off by up to half", "[pure]") {
  auto settings = test::plain_settings();
  double luck = 0;
  settings.jitter = [&luck] { return luck; };
  session_rig rig(settings);
  rig.start();
  rig.closed();
  CHECK(rig.wake == rig.now + milliseconds(50));
  rig.run_to_wake();
  luck = 1;
  rig.closed();
  CHECK(rig.wake == rig.now + milliseconds(50));
  rig.run_to_wake();
  luck = 0.5;
  rig.closed();
  CHECK(rig.wake == rig.now + milliseconds(150));
}

TEST_CASE("another agent process and another boot are told apart", "[pure]") {
  session_rig rig;
  rig.bring_up();
  auto hello = test::good_hello();
  const auto reconnect = [&] {
    rig.closed();
    rig.run_to_wake();
    rig.opened();
    rig.reply_to_hello(hello);
  };
  reconnect();
  CHECK(rig.restarts.empty());
  hello.agent_pid = 101;
  reconnect();
  CHECK(rig.restarts == std::vector{session::restart::agent});
  hello.boot_id = "boot-2";
  hello.agent_pid = 7;
  reconnect();
  CHECK(rig.restarts == std::vector{session::restart::agent, session::restart::host});
  CHECK(rig.session.last_hello()->boot_id == "boot-2");
}

TEST_CASE("a link that does not open or greet is given up", "[pure]") {
  auto opening = rig_in(phase::opening);
  opening.pass(30000);
  CHECK(opening.closes == 1);
  CHECK(opening.states.back().reason == "the link did not open in time");
  auto greeting = rig_in(phase::greeting);
  greeting.pass(15000);
  CHECK(greeting.closes == 1);
  CHECK(greeting.states.back().reason == "the agent did not answer hello in time");
}

TEST_CASE("a link that is down tells each reason once", "[pure]") {
  session_rig rig;
  rig.start();
  for (const char* why : {"no such file", "no such file", "status 1", "no such file"}) {
    rig.closed(why);
    rig.run_to_wake();
  }
  std::vector<std::string> reasons;
  for (const auto& s : rig.states)
    reasons.push_back(s.reason);
  CHECK(reasons == std::vector<std::string>{"no such file", "status 1", "no such file"});
}
