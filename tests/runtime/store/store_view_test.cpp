#include "runtime/store/store_view.hpp"

#include <catch2/catch.hpp>

namespace drover {

using namespace std::chrono_literals;

namespace {

const vm_id vm{100};
const node_id n1{"n1"};
const node_id n2{"n2"};
const delay_range ragged{1ms, 100ms, 50'000, 3s};

/// A VM that moves to and fro, a step every 10 ms.
store_log moves(int count) {
  store_log log;
  log.put_first(vm, n1, "a");
  for (int move = 0; move < count; ++move)
    log.append({10ms * move, n1, config_placed{vm, move % 2 == 0 ? n2 : n1, nullptr}});
  return log;
}

} // namespace

TEST_CASE("a view shows the same at a moment, however often somebody looks") {
  const auto log = moves(500);
  store_view eager(3, ragged);
  store_view lazy(3, ragged);
  std::size_t late = 0;
  for (auto now = 0ms; now < 10s; now += 1ms) {
    eager.advance(log, now);
    if (now % 313ms == 0ms) {
      lazy.advance(log, now);
      CHECK(lazy.at() == eager.at());
      late += lazy.at() < log.end() ? 1 : 0;
    }
  }
  CHECK(late > 5);
  CHECK(eager.at() == log.end());
}

TEST_CASE("what is foreseen comes true, in order") {
  const auto log = moves(300);
  store_view asked(4, ragged);
  store_view shown(4, ragged);
  log_time before{0};
  for (log_position position = 1; position <= log.end(); ++position) {
    const auto when = asked.foresee(log, position);
    REQUIRE(when >= before);
    if (when > before) {
      shown.advance(log, when - 1ns);
      REQUIRE(shown.at() < position);
    }
    before = when;
    shown.advance(log, when);
    REQUIRE(shown.at() >= position);
  }
}

TEST_CASE("two nodes have luck of their own") {
  const auto log = moves(100);
  store_view one(1, ragged);
  store_view other(2, ragged);
  int apart = 0;
  for (auto now = 0ms; now < 1s; now += 5ms) {
    one.advance(log, now);
    other.advance(log, now);
    apart += one.at() != other.at() ? 1 : 0;
  }
  CHECK(apart > 20);
}

TEST_CASE("a view that caught up does not go back, and tells each move once") {
  const auto log = moves(100);
  store_view view(1, exactly(1s));
  int told = 0;
  view.on_moved = [&](vm_id, log_position) { ++told; };
  view.catch_up(log, 40, 400ms);
  CHECK(view.at() == 40);
  view.advance(log, 500ms);
  CHECK(view.at() == 40);
  view.catch_up(log, 10, 500ms);
  CHECK(view.at() == 40);
  view.advance(log, 1s + 395ms);
  CHECK(view.at() == 40);
  view.advance(log, 1s + 400ms);
  CHECK(view.at() == 41);
  view.advance(log, 10s);
  CHECK(view.at() == 100);
  CHECK(told == 100);
}

TEST_CASE("a lock is seen when its entry is, and not before") {
  store_log log;
  log.append({1s, n1, lock_taken{"lease", "x", n1}});
  log.append({5s, n1, lock_taken{"lease", "x", n1}});
  store_view view(1, exactly(2s));
  CHECK(view.lock_seen(0) == std::nullopt);
  view.advance(log, 4s);
  CHECK(view.lock_seen(0) == log_time{3s});
  view.catch_up(log, log.end(), 6s);
  CHECK(view.lock_seen(0) == log_time{6s});
}

} // namespace drover
