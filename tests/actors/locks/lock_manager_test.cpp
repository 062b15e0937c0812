#include "actors/locks/lock_manager_actor.hpp"

#include <catch2/catch.hpp>

#include <caf/all.hpp>

#include <chrono>
#include <optional>

using namespace drover;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 10s;

struct lock_system {
  struct config : caf::actor_system_config {
    config() {
      configure_lock_types(*this);
      set("scheduler.policy", caf::atom("sharing"));
      set("scheduler.max-threads", std::size_t{2});
    }
  };

  config settings;
  caf::actor_system system{settings};
  lock_manager_handle locks = spawn_lock_manager(system, {{window_permit(), 1}});

  ~lock_system() { caf::anon_send_exit(locks, caf::exit_reason::user_shutdown); }

  lock_usage usage() {
    caf::scoped_actor self{system};
    std::optional<lock_usage> answer;
    self->request(locks, patience, ask_lock_usage{})
      .receive(
        [&](lock_usage& u) { answer = std::move(u); },
        [&](const caf::error& e) { FAIL(system.render(e)); });
    return answer.value();
  }

  /// Until so many wait: a request is a message, and another actor's message may overtake it.
  void await_waiting(std::uint32_t count) {
    for (int i = 0; i < 100000 && usage().waiting != count; ++i) {
    }
    REQUIRE(usage().waiting == count);
  }
};

acquire window(std::uint64_t number) {
  return {number, lock_priority::window, {{window_permit(), 1}}};
}

using asking = decltype(std::declval<caf::scoped_actor&>()->request(
  std::declval<lock_manager_handle&>(), patience, std::declval<acquire>()));

acquired answer_of(caf::actor_system& system, asking& request) {
  std::optional<acquired> got;
  request.receive(
    [&](acquired& a) { got = std::move(a); }, [&](const caf::error& e) { FAIL(system.render(e)); });
  return got.value();
}

} // namespace

TEST_CASE("permits are granted in the order of asking, with the measured wait") {
  lock_system s;
  caf::scoped_actor a{s.system};
  caf::scoped_actor b{s.system};
  caf::scoped_actor c{s.system};
  auto first = a->request(s.locks, patience, window(1));
  const auto granted = answer_of(s.system, first);
  CHECK(granted.number == 1);
  CHECK_FALSE(granted.objection.has_value());
  auto second = b->request(s.locks, patience, window(7));
  s.await_waiting(1);
  auto third = c->request(s.locks, patience, window(9));
  s.await_waiting(2);
  a->send(s.locks, release{1});
  const auto passed_on = answer_of(s.system, second);
  CHECK(passed_on.number == 7);
  CHECK(passed_on.waited_s > 0);
  CHECK(s.usage().waiting == 1);
  b->send(s.locks, release{7});
  CHECK(answer_of(s.system, third).number == 9);
  c->send(s.locks, release{9});
  s.await_waiting(0);
}

TEST_CASE("a dead holder's permits pass on") {
  lock_system s;
  caf::scoped_actor b{s.system};
  std::optional<asking> second;
  {
    caf::scoped_actor a{s.system};
    auto first = a->request(s.locks, patience, window(1));
    CHECK_FALSE(answer_of(s.system, first).objection.has_value());
    second.emplace(b->request(s.locks, patience, window(1)));
    s.await_waiting(1);
  }
  CHECK_FALSE(answer_of(s.system, *second).objection.has_value());
}

TEST_CASE("a dead waiter does not take the permit with it") {
  lock_system s;
  caf::scoped_actor a{s.system};
  auto first = a->request(s.locks, patience, window(1));
  CHECK_FALSE(answer_of(s.system, first).objection.has_value());
  {
    caf::scoped_actor b{s.system};
    [[maybe_unused]] auto unanswered = b->request(s.locks, patience, window(1));
    s.await_waiting(1);
  }
  s.await_waiting(0);
  a->send(s.locks, release{1});
  auto again = a->request(s.locks, patience, window(2));
  CHECK_FALSE(answer_of(s.system, again).objection.has_value());
}

TEST_CASE("a withdrawn request is answered, and a later one of the same holder is granted") {
  lock_system s;
  caf::scoped_actor a{s.system};
  caf::scoped_actor b{s.system};
  auto first = a->request(s.locks, patience, window(1));
  CHECK_FALSE(answer_of(s.system, first).objection.has_value());
  auto second = b->request(s.locks, patience, window(1));
  s.await_waiting(1);
  b->send(s.locks, release{1});
  const auto withdrawn = answer_of(s.system, second);
  REQUIRE(withdrawn.objection.has_value());
  CHECK(withdrawn.objection->code == errc::refused);
  a->send(s.locks, release{1});
  auto third = b->request(s.locks, patience, window(2));
  CHECK_FALSE(answer_of(s.system, third).objection.has_value());
  CHECK(s.usage().leases == 1);
}

TEST_CASE("a release after a lost answer frees what was granted") {
  lock_system s;
  caf::scoped_actor a{s.system};
  auto first = a->request(s.locks, patience, window(1));
  CHECK_FALSE(answer_of(s.system, first).objection.has_value());
  caf::scoped_actor b{s.system};
  bool timed_out = false;
  b->request(s.locks, 20ms, window(1))
    .receive(
      [](acquired&) {}, [&](const caf::error& e) { timed_out = e == caf::sec::request_timeout; });
  CHECK(timed_out);
  a->send(s.locks, release{1}); // granted to b, who has stopped listening
  b->send(s.locks, release{1});
  auto again = a->request(s.locks, patience, window(2));
  CHECK_FALSE(answer_of(s.system, again).objection.has_value());
}

TEST_CASE("an impossible request is answered with its reason") {
  lock_system s;
  caf::scoped_actor a{s.system};
  auto request =
    a->request(s.locks, patience, acquire{1, lock_priority::window, {{window_permit(), 2}}});
  const auto answer = answer_of(s.system, request);
  REQUIRE(answer.objection.has_value());
  CHECK(to_string(*answer.objection) == "asks for 2 of 1 (window)");
}

TEST_CASE("a raised capacity grants at once") {
  lock_system s;
  caf::scoped_actor a{s.system};
  caf::scoped_actor b{s.system};
  auto first = a->request(s.locks, patience, window(1));
  CHECK_FALSE(answer_of(s.system, first).objection.has_value());
  auto second = b->request(s.locks, patience, window(1));
  s.await_waiting(1);
  a->send(s.locks, set_capacity{window_permit(), 2});
  CHECK_FALSE(answer_of(s.system, second).objection.has_value());
}

TEST_CASE("grants wait until everybody who holds them has let go") {
  lock_system s;
  caf::scoped_actor a{s.system};
  caf::scoped_actor b{s.system};
  a->send(s.locks, hold_grants{grants_hold::operator_pause});
  a->send(s.locks, hold_grants{grants_hold::lock_in_doubt});
  auto asked = a->request(s.locks, patience, window(1));
  s.await_waiting(1);
  a->send(s.locks, open_grants{grants_hold::lock_in_doubt});
  auto beside = a->request(s.locks, patience, window(2));
  s.await_waiting(2);
  CHECK(s.usage().leases == 0);
  a->send(s.locks, release{2});
  CHECK(answer_of(s.system, beside).objection.has_value());
  a->send(s.locks, open_grants{grants_hold::operator_pause});
  CHECK_FALSE(answer_of(s.system, asked).objection.has_value());
}
