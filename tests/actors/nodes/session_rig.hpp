// A node_session with hands: keeps what it wants done, decodes what it sends, moves its clock.
#pragma once

#include "actors/nodes/node_session.hpp"
#include "runtime/wire/codec.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

namespace drover::test {

inline mono_time at_ms(std::int64_t ms) { return mono_time{milliseconds(ms)}; }

inline wire::hello_reply good_hello() {
  wire::hello_reply hello;
  hello.protocol = wire::protocol_version;
  hello.node = node_id("n1");
  hello.boot_id = "boot-1";
  hello.agent_pid = 100;
  return hello;
}

inline session::settings plain_settings() {
  session::settings s;
  s.node = node_id("n1");
  s.controller = "host:1";
  s.id_prefix = "c1";
  return s;
}

class session_rig {
public:
  explicit session_rig(session::settings s = plain_settings()) : session(std::move(s)) {}

  node_session session;
  mono_time now = at_ms(1000);

  // What came out so far.
  int opens = 0;
  int closes = 0;
  std::vector<wire::request> sent;
  std::map<request_id, std::vector<result<wire::reply_body>>> answers;
  std::map<request_id, std::optional<clock_estimate>> clocks; ///< that came with the answers
  std::vector<request_id> answer_order;
  std::vector<session::state_changed> states;
  std::vector<session::drop> drops;
  std::vector<request_id> again;
  std::vector<session::restart> restarts;
  std::vector<wire::notice> notices;
  std::optional<mono_time> wake;

  void take(session::commands todo) {
    for (auto& c : todo)
      std::visit([this](auto& x) { on(x); }, c);
  }

  void start() { take(session.start(now)); }
  void opened() { take(session.opened(now)); }
  void closed(const char* why = "gone") { take(session.closed({errc::lost, why, {}}, now)); }
  void line(std::string_view text) { take(session.line(text, now)); }
  void stop() { take(session.stop(now)); }
  request_id call(wire::request_body body = wire::list_vms{}, std::int64_t wait_ms = 60000) {
    auto made = session.call(std::move(body), now + milliseconds(wait_ms), now);
    take(std::move(made.todo));
    return made.id;
  }
  void reply(const request_id& id, result<wire::reply_body> body = wire::vm_list{}) {
    line(wire::encode(wire::reply{id, std::move(body)}));
  }
  void reply_to_hello(result<wire::reply_body> body = good_hello()) {
    REQUIRE(std::holds_alternative<wire::hello>(sent.back().body));
    reply(sent.back().id, std::move(body));
  }

  /// From wherever it is to `up`, through its own timers.
  void bring_up() {
    if (session.at() == session::phase::idle)
      start();
    while (session.at() == session::phase::waiting)
      run_to_wake();
    opened();
    reply_to_hello();
    REQUIRE(session.at() == session::phase::up);
  }

  /// Moves the clock to the time that the session asked for.
  void run_to_wake() {
    REQUIRE(wake);
    now = std::max(now, *wake);
    wake.reset();
    take(session.tick(now));
  }
  /// Runs every timer up to `ms` from now.
  void pass(std::int64_t ms) {
    const auto end = now + milliseconds(ms);
    while (wake && *wake <= end)
      run_to_wake();
    now = end;
  }

  /// The one answer to a call.
  const result<wire::reply_body>& answer_to(const request_id& id) {
    INFO(id.value);
    REQUIRE(answers[id].size() == 1);
    return answers[id].front();
  }
  errc failure_of(const request_id& id) {
    REQUIRE_FALSE(answer_to(id));
    return answer_to(id).error().code;
  }
  std::vector<request_id> sent_ids() const {
    std::vector<request_id> ids;
    for (const auto& r : sent)
      ids.push_back(r.id);
    return ids;
  }

private:
  void on(session::open_link&) { ++opens; }
  void on(session::close_link&) { ++closes; }
  void on(session::send_line& c) {
    auto request = wire::decode_request(c.line);
    REQUIRE(request);
    sent.push_back(std::move(*request));
  }
  void on(session::answer& c) {
    answers[c.id].push_back(std::move(c.body));
    clocks[c.id] = std::move(c.clock);
    answer_order.push_back(c.id);
  }
  void on(session::notice_came& c) { notices.push_back(std::move(c.body)); }
  void on(session::state_changed& c) { states.push_back(c); }
  void on(session::agent_restarted& c) { restarts.push_back(c.what); }
  void on(session::asked_again& c) { again.push_back(c.id); }
  void on(session::dropped& c) { drops.push_back(c.kind); }
  void on(session::wake_at& c) { wake = c.at; }
};

/// A session in the given phase, on the shortest way there.
inline session_rig rig_in(session::phase p) {
  using session::phase;
  session_rig rig;
  if (p == phase::idle)
    return rig;
  rig.start();
  if (p == phase::opening)
    return rig;
  if (p == phase::waiting) {
    rig.closed();
    return rig;
  }
  rig.opened();
  if (p == phase::greeting)
    return rig;
  if (p == phase::closing) {
    rig.reply_to_hello(fail(errc::conflict, "another agent holds the node"));
    return rig;
  }
  rig.reply_to_hello();
  if (p == phase::up)
    return rig;
  rig.stop();
  rig.closed();
  return rig;
}

} // namespace drover::test
