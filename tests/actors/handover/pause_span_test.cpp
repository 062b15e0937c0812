// The pause between two hosts, by what is known of their clocks.
#include "actors/handover/pause_span.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// A host: its monotonic clock before the controller's, its wall clock before its monotonic one.
struct host {
  node_id node;
  std::string boot_id;
  nanoseconds ahead{};
  nanoseconds shift{};
  nanoseconds error = 50us;

  clock_estimate clock() const { return {boot_id, ahead, error, shift, mono_time{9s}}; }
  /// What happens there at this time of the controller.
  host_moment moment(nanoseconds here) const {
    return {
      node, wall_time{std::chrono::duration_cast<std::chrono::microseconds>(here + ahead + shift)},
      shift, clock()};
  }
};

/// Of a migration that began at 5 s.
pause_span span_of(const host_moment& begin, const host_moment& end) {
  return span_between(begin, end, mono_time{5s});
}

const host n1{node_id{"n1"}, "boot-1", 3h, 400h};
const host n2{node_id{"n2"}, "boot-2", -2h, 100h};

} // namespace

TEST_CASE("between two hosts the pause is right whatever their clocks show, within the error") {
  const auto span = span_of(n1.moment(10s), n2.moment(10s + 2500us));
  REQUIRE(span.length_s);
  CHECK(*span.length_s == Approx(0.0025));
  // Two estimates of 50 us, and two stamps in whole microseconds.
  CHECK(span.error_s == Approx(0.000102));
  CHECK(span.unknown.empty());
}

TEST_CASE("on one host no estimate is needed, and there is no error") {
  auto begin = n1.moment(10s);
  auto end = n1.moment(10s + 3ms);
  end.node = node_id{"n3"}; // another node of the same machine
  CHECK(span_of(begin, end).length_s == Approx(0.003));
  CHECK(span_of(begin, end).error_s == 0);
  begin.clock.reset();
  end.clock.reset();
  end.node = begin.node;
  CHECK(span_of(begin, end).length_s == Approx(0.003));
  begin.shift.reset();
  CHECK(span_of(begin, end).length_s == Approx(0.003));
}

TEST_CASE("a clock that was set during the migration makes the figure unknown, not wrong") {
  const auto begin = n1.moment(10s);
  const auto end = n2.moment(10s + 2ms);
  SECTION("at the source, after the pause began") {
    auto set = begin;
    set.clock->shift += 1h;
    const auto span = span_of(set, end);
    CHECK_FALSE(span.length_s);
    CHECK_THAT(span.unknown, Contains("the clock of n1 was set"));
  }
  SECTION("at the target, before it ended, and back") {
    auto set = end;
    *set.shift -= 20ms;
    CHECK_THAT(span_of(begin, set).unknown, Contains("the clock of n2 was set"));
  }
  SECTION("on one host, between the two moments") {
    auto set = n1.moment(10s + 2ms);
    set.clock.reset();
    *set.shift += 1h;
    CHECK_THAT(span_of(begin, set).unknown, Contains("the clock of n1 was set"));
  }
  SECTION("between QEMU's stamp and the agent's look, and read once more since") {
    auto set = begin;
    *set.shift += 1h;
    set.clock->shift += 1h;
    set.clock->set_at = mono_time{11s};
    CHECK_THAT(span_of(set, end).unknown, Contains("the clock of n1 was set"));
    set = end;
    set.clock->set_at = mono_time{11s};
    CHECK_THAT(span_of(begin, set).unknown, Contains("the clock of n2 was set"));
  }
  SECTION("but not before the migration") {
    auto set = begin;
    set.clock->set_at = mono_time{4s};
    CHECK(span_of(set, end).length_s);
  }
  SECTION("and what a busy host makes of two readings makes the figure less certain") {
    auto late = end;
    *late.shift += 500us;
    const auto span = span_of(begin, late);
    REQUIRE(span.length_s);
    CHECK(span.error_s == Approx(0.000602));
    CHECK(*span.length_s - span.error_s <= 0.002);
    CHECK(*span.length_s + span.error_s >= 0.002);
  }
}

TEST_CASE("a moment long before the reading is less certain, because clocks drift") {
  // The agent was away: its clock was read 50 s after the source had stopped.
  auto begin = n1.moment(10s);
  begin.clock->read_at = mono_time{60s};
  const auto span = span_of(begin, n2.moment(61s));
  REQUIRE(span.length_s);
  CHECK(*span.length_s == Approx(51));
  CHECK(span.error_s == Approx(0.000102 + 0.005));
}

TEST_CASE("without an estimate there is no figure between two hosts") {
  auto begin = n1.moment(10s);
  const auto end = n2.moment(10s + 2ms);
  SECTION("no clock") { begin.clock.reset(); }
  SECTION("an agent that tells no shift") { begin.shift.reset(); }
  const auto span = span_of(begin, end);
  CHECK_FALSE(span.length_s);
  CHECK_THAT(span.unknown, Contains("the agent of n1"));
}

TEST_CASE("a moment that is missing leaves nothing to tell") {
  auto begin = n1.moment(10s);
  begin.at.reset();
  const auto span = span_of(begin, n2.moment(11s));
  CHECK_FALSE(span.length_s);
  CHECK(span.unknown.empty());
}

TEST_CASE("an end before the beginning is 0 within the error, and unknown beyond it") {
  CHECK(span_of(n1.moment(10s), n2.moment(10s - 80us)).length_s == 0.0);
  CHECK_THAT(
    span_of(n1.moment(10s), n2.moment(10s - 1ms)).unknown, Contains("ended before it began"));
  CHECK_FALSE(span_of(n1.moment(10s), n1.moment(9s)).length_s);
}
