// The session's table, and its rules about calls.
#include "tests/actors/nodes/session_rig.hpp"

#include "runtime/link/link.hpp"

namespace {

using namespace drover;
using session::drop;
using session::link_state;
using session::phase;
using test::rig_in;
using test::session_rig;

constexpr phase all_phases[] = {phase::idle,    phase::opening, phase::greeting, phase::up,
                                phase::closing, phase::waiting, phase::stopped};

} // namespace

TEST_CASE("every phase has decided what every event means", "[pure]") {
  enum event { start, opened, line, closed, tick, stop };
  struct row {
    phase at;
    event what;
    phase next;
    bool stray;
  };
  using enum phase;
  const std::vector<row> rows{
    {idle, start, opening, false},
    {idle, opened, idle, true},
    {idle, line, idle, true},
    {idle, closed, idle, true},
    {idle, tick, idle, false},
    {idle, stop, stopped, false},
    {opening, start, opening, true},
    {opening, opened, greeting, false},
    {opening, line, opening, true},
    {opening, closed, waiting, false},
    {opening, tick, closing, false},
    {opening, stop, closing, false},
    {greeting, start, greeting, true},
    {greeting, opened, greeting, true},
    {greeting, line, greeting, false},
    {greeting, closed, waiting, false},
    {greeting, tick, closing, false},
    {greeting, stop, closing, false},
    {up, start, up, true},
    {up, opened, up, true},
    {up, line, up, false},
    {up, closed, waiting, false},
    {up, tick, up, false},
    {up, stop, closing, false},
    {closing, start, closing, true},
    {closing, opened, closing, true},
    {closing, line, closing, false},
    {closing, closed, waiting, false},
    {closing, tick, closing, false},
    {closing, stop, closing, false},
    {waiting, start, waiting, true},
    {waiting, opened, waiting, true},
    {waiting, line, waiting, true},
    {waiting, closed, waiting, true},
    {waiting, tick, opening, false},
    {waiting, stop, stopped, false},
    {stopped, start, stopped, true},
    {stopped, opened, stopped, true},
    {stopped, line, stopped, true},
    {stopped, closed, stopped, true},
    {stopped, tick, stopped, false},
    {stopped, stop, stopped, false}};
  CHECK(rows.size() == std::size(all_phases) * 6);
  for (const auto& r : rows) {
    auto rig = rig_in(r.at);
    CAPTURE(to_string(r.at), static_cast<int>(r.what));
    REQUIRE(rig.session.at() == r.at);
    rig.drops.clear();
    rig.now += std::chrono::minutes(1);
    switch (r.what) {
    case start:
      rig.start();
      break;
    case opened:
      rig.opened();
      break;
    case line:
      rig.line(wire::encode(wire::notice(wire::node_trace{})));
      break;
    case closed:
      rig.closed();
      break;
    case tick:
      rig.take(rig.session.tick(rig.now));
      break;
    case stop:
      rig.stop();
      break;
    }
    CHECK(to_string(rig.session.at()) == to_string(r.next));
    CHECK(rig.drops == (r.stray ? std::vector{drop::stray} : std::vector<drop>{}));
  }
}

TEST_CASE("a call in any phase is answered once, by its deadline", "[pure]") {
  for (const auto p : all_phases) {
    auto rig = rig_in(p);
    CAPTURE(to_string(p));
    const auto id = rig.call(wire::list_vms{}, 700);
    rig.pass(699);
    CHECK(rig.answers[id].size() == (p == phase::stopped ? 1 : 0));
    rig.pass(1);
    CHECK_FALSE(rig.answer_to(id));
    CHECK(rig.session.calls_waiting() == 0);
    rig.pass(60000);
    CHECK(rig.answers[id].size() == 1);
  }
}

TEST_CASE("hello comes first and the calls that waited follow in their order", "[pure]") {
  session_rig rig;
  const auto early = rig.call();
  rig.start();
  CHECK(rig.opens == 1);
  const auto later = rig.call(wire::ping{});
  rig.opened();
  REQUIRE(rig.sent.size() == 1);
  const auto& hello = std::get<wire::hello>(rig.sent[0].body);
  CHECK(hello.protocol == wire::protocol_version);
  CHECK(hello.controller == "host:1");
  const auto hello_id = rig.sent[0].id;
  rig.now += milliseconds(20000 - 14000);
  rig.reply_to_hello();
  CHECK(rig.sent_ids() == std::vector{hello_id, early, later});
  // The time that is left, not the time that was given.
  CHECK(rig.sent[1].deadline == milliseconds(54000));
  CHECK(rig.session.last_hello()->boot_id == "boot-1");
  REQUIRE(rig.states.size() == 1);
  CHECK(rig.states[0].state == link_state::up);
  rig.reply(later, wire::accepted{});
  rig.reply(early);
  CHECK(rig.answer_order == std::vector{later, early});
  CHECK(std::holds_alternative<wire::vm_list>(*rig.answer_to(early)));
}

TEST_CASE("unanswered calls are asked again under their ids after a reconnect", "[pure]") {
  session_rig rig;
  rig.bring_up();
  const auto first = rig.call(), second = rig.call(), third = rig.call();
  rig.reply(second);
  rig.closed("agent exited with status 1");
  CHECK(rig.session.at() == phase::waiting);
  CHECK(rig.states.back().reason == "agent exited with status 1");
  const auto fourth = rig.call();
  rig.sent.clear();
  rig.bring_up();
  rig.sent.erase(rig.sent.begin());
  CHECK(rig.sent_ids() == std::vector{first, third, fourth});
  CHECK(rig.again == std::vector{first, third});
  rig.reply(first);
  rig.reply(third);
  rig.reply(fourth);
  for (const auto& id : {first, second, third, fourth})
    CHECK(rig.answer_to(id));
}

TEST_CASE("late, double and foreign replies are named and dropped", "[pure]") {
  session_rig rig;
  rig.bring_up();
  const auto slow = rig.call(wire::list_vms{}, 100);
  const auto quick = rig.call();
  rig.reply(quick);
  rig.pass(100);
  CHECK(rig.failure_of(slow) == errc::timeout);
  CHECK(rig.answer_to(slow).error().context == "sent once");
  rig.reply(slow);
  rig.reply(quick);
  rig.reply(request_id("c2-1"));
  rig.reply(request_id("c1-999"));
  rig.reply(request_id("c1-0"));
  rig.reply(request_id("c1-02"));
  rig.reply(request_id());
  CHECK(
    rig.drops == std::vector{
                   drop::late_reply, drop::double_reply, drop::foreign_reply, drop::foreign_reply,
                   drop::foreign_reply, drop::foreign_reply, drop::foreign_reply});
  CHECK(rig.answers[slow].size() == 1);
  CHECK(rig.answers[quick].size() == 1);
}

TEST_CASE("a reply to a call that was never sent is foreign", "[pure]") {
  auto rig = rig_in(phase::greeting);
  const auto id = rig.call();
  rig.reply(id);
  CHECK(rig.drops == std::vector{drop::foreign_reply});
  CHECK(rig.answers[id].empty());
}

TEST_CASE("an agent's refusal is the call's answer as it is", "[pure]") {
  session_rig rig;
  rig.bring_up();
  const auto id = rig.call();
  rig.reply(id, fail(errc::refused, "not the owner", "vm 105"));
  CHECK(rig.answer_to(id).error() == error{errc::refused, "not the owner", "vm 105"});
}

TEST_CASE("an answer of the wrong type or shape is a bug of the agent", "[pure]") {
  session_rig rig;
  rig.bring_up();
  const auto wrong_type = rig.call(), wrong_shape = rig.call();
  rig.reply(wrong_type, wire::accepted{});
  CHECK(
    rig.answer_to(wrong_type).error() ==
    error{errc::bug, "list_vms was answered by accepted", "n1"});
  rig.line(R"({"jsonrpc":"2.0","id":")" + wrong_shape.value + R"(","result":{"vm_list":7}})");
  CHECK(rig.failure_of(wrong_shape) == errc::bug);
  rig.line("Segmentation fault");
  rig.line("");
  CHECK(rig.drops == std::vector{drop::unreadable, drop::unreadable});
  CHECK(rig.session.at() == phase::up);
}

TEST_CASE("the window bounds what is sent and the queue what waits", "[pure]") {
  auto settings = test::plain_settings();
  settings.window_max = 3;
  settings.calls_max = 5;
  session_rig rig(settings);
  rig.bring_up();
  rig.sent.clear();
  std::vector<request_id> ids;
  for (int n = 0; n < 6; ++n)
    ids.push_back(rig.call(wire::list_vms{}, 1000 + n));
  CHECK(rig.sent.size() == 3);
  CHECK(rig.failure_of(ids[5]) == errc::retry);
  rig.reply(ids[1]);
  CHECK(rig.sent.back().id == ids[3]);
  rig.pass(1000);
  CHECK(rig.failure_of(ids[0]) == errc::timeout);
  CHECK(rig.sent.back().id == ids[4]);
}

TEST_CASE("a request too long for the link is refused instead of breaking it", "[pure]") {
  session_rig rig;
  rig.bring_up();
  const auto id = rig.call(wire::cordon{std::string(line_bytes_max, 'x')});
  CHECK(rig.failure_of(id) == errc::invalid);
  CHECK(rig.sent.size() == 1);
}

TEST_CASE("stop answers everything, closes the link and ends", "[pure]") {
  session_rig rig;
  rig.bring_up();
  const auto sent = rig.call();
  rig.closed();
  const auto unsent = rig.call();
  rig.bring_up();
  rig.closed();
  const auto fresh = rig.call();
  rig.run_to_wake();
  rig.stop();
  CHECK(rig.failure_of(sent) == errc::lost);
  CHECK(rig.failure_of(unsent) == errc::lost);
  CHECK(rig.failure_of(fresh) == errc::refused);
  CHECK(rig.closes == 1);
  CHECK(rig.failure_of(rig.call()) == errc::refused);
  rig.closed();
  CHECK(rig.session.at() == phase::stopped);
  rig.pass(600000);
  CHECK(rig.opens == 3);
}
