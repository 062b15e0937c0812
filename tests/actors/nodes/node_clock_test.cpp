// Another host's clock, from round trips.
#include "actors/nodes/node_clock.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::chrono_literals;

namespace {

mono_time at(nanoseconds t) { return mono_time{t}; }

/// Of a host whose monotonic clock is an hour before this one's.
clock_reading reading(nanoseconds here, nanoseconds shift = 50h) {
  const auto there = here + 1h;
  return {
    mono_time{there},
    wall_time{std::chrono::duration_cast<std::chrono::microseconds>(there + shift)}};
}

} // namespace

TEST_CASE("nothing is known of a clock that was never read") {
  CHECK_FALSE(node_clock{}.estimate(at(1s)));
}

TEST_CASE("a reading is wrong by half of its round trip at most") {
  const auto read_at = GENERATE(as<nanoseconds>{}, 1s, 1s + 1ms, 1s + 4ms);
  node_clock clock;
  clock.answered(at(1s), at(1s + 4ms), "b", reading(read_at));
  const auto seen = clock.estimate(at(1s + 4ms));
  REQUIRE(seen);
  CHECK(seen->boot_id == "b");
  CHECK(seen->error == 2ms);
  CHECK(seen->ahead - 1h <= 2ms);
  CHECK(1h - seen->ahead <= 2ms);
  CHECK(seen->shift == 50h);
}

TEST_CASE("the shortest round trip counts, until it is old") {
  node_clock clock;
  clock.answered(at(1s), at(1s + 200us), "b", reading(1s + 100us));
  clock.answered(at(2s), at(2s + 8ms), "b", reading(2s));
  const auto soon = clock.estimate(at(3s));
  REQUIRE(soon);
  CHECK(soon->ahead == 1h);
  // A hundred microseconds, and as many for each second since.
  CHECK(soon->error < 100us + 200us);
  CHECK(soon->error > 100us + 190us);
  clock.answered(at(1000s), at(1000s + 10ms), "b", reading(1000s));
  const auto later = clock.estimate(at(1000s + 10ms));
  REQUIRE(later);
  CHECK(later->error == 5ms);
}

TEST_CASE("the newest reading tells the shift, and an older one may tell how far the clock is") {
  node_clock clock;
  clock.answered(at(1s), at(1s + 200us), "b", reading(1s + 100us));
  clock.answered(at(2s), at(2s + 8ms), "b", reading(2s, 51h));
  const auto seen = clock.estimate(at(3s));
  REQUIRE(seen);
  CHECK(seen->ahead == 1h);
  CHECK(seen->shift == 51h);
}

TEST_CASE("a host that has booted has another clock") {
  node_clock clock;
  clock.answered(at(1s), at(1s + 1us), "b", reading(1s));
  clock.answered(at(2s), at(2s + 8ms), "c", {mono_time{5s}, wall_time{5s}});
  const auto seen = clock.estimate(at(2s + 8ms));
  REQUIRE(seen);
  CHECK(seen->boot_id == "c");
  CHECK(seen->error == 4ms);
  CHECK(seen->ahead == 5s - (2s + 4ms));
}

TEST_CASE("many readings are bounded, and the newest stay") {
  node_clock clock;
  clock.answered(at(1s), at(1s + 1us), "b", reading(1s));
  for (int i = 2; i < 40; ++i)
    clock.answered(at(i * 1s), at(i * 1s + 2ms), "b", reading(i * 1s + 1ms));
  const auto seen = clock.estimate(at(39s + 2ms));
  REQUIRE(seen);
  CHECK(seen->error == 1ms);
}

TEST_CASE("a wall clock that was set is noticed by the next reading, and only there") {
  node_clock clock;
  clock.answered(at(1s), at(1s + 2ms), "b", reading(1s));
  CHECK_FALSE(clock.estimate(at(2s))->set_at);
  clock.answered(at(2s), at(2s + 2ms), "b", reading(2s, 50h + 9ms));
  CHECK_FALSE(clock.estimate(at(3s))->set_at);
  clock.answered(at(3s), at(3s + 2ms), "b", reading(3s, 49h));
  CHECK(clock.estimate(at(4s))->set_at == at(3s + 2ms));
  clock.answered(at(5s), at(5s + 2ms), "b", reading(5s, 49h));
  CHECK(clock.estimate(at(6s))->set_at == at(3s + 2ms));
  clock.answered(at(7s), at(7s + 2ms), "c", reading(7s, 1h));
  CHECK_FALSE(clock.estimate(at(8s))->set_at);
}
