#include "runtime/hypervisor/sim_precopy.hpp"

#include <catch2/catch.hpp>

namespace drover {

namespace {

constexpr std::uint64_t megabyte = 1'000'000;

/// Goes on until the limit is met; the passes that it took, or nullopt after too many.
std::optional<std::uint32_t> passes_until_it_fits(sim_precopy& copy, std::uint32_t passes_most) {
  for (;;) {
    if (copy.fits_the_limit())
      return copy.figures().passes;
    if (copy.figures().passes > passes_most)
      return std::nullopt;
    if (copy.is_pass_over())
      copy.begin_pass();
    const auto due = copy.next();
    REQUIRE(due);
    copy.advance(*due);
  }
}

} // namespace

TEST_CASE("bytes and times are inverse, and stay in range at any size") {
  CHECK(bytes_in(milliseconds{1500}, 1000) == 1500);
  CHECK(time_for(1500, 1000) == milliseconds{1500});
  CHECK(bytes_in(std::chrono::hours{24}, sim_speed_most) == sim_speed_most * 86'400);
  CHECK(time_for(1, sim_speed_most) == nanoseconds{1});
  for (const std::uint64_t speed : {997ULL, 999'999'937ULL, 17'999'999'999ULL})
    for (const std::uint64_t bytes : {1ULL, 4096ULL, 1'000'000'007ULL}) {
      const auto time = time_for(bytes, speed);
      CHECK(bytes_in(time, speed) >= bytes);
      CHECK(bytes_in(time - nanoseconds{1}, speed) < bytes + 1);
    }
}

TEST_CASE("a guest that does not write is copied in one pass") {
  sim_precopy copy(100 * megabyte, 0, 0);
  copy.set_speed(10 * megabyte);
  copy.set_limit(100);
  CHECK(copy.next() == milliseconds{9900});
  CHECK(passes_until_it_fits(copy, 1) == 1);
  CHECK(copy.figures().remaining_bytes == megabyte);
  CHECK(copy.figures().expected_downtime_ms == 100);
}

TEST_CASE("a guest that writes half as fast as it is copied converges") {
  sim_precopy copy(100 * megabyte, 5 * megabyte, 100 * megabyte);
  copy.set_speed(10 * megabyte);
  copy.set_limit(100);
  // What remains shrinks by 5 MB/s: 99 MB take 19.8 s, which is in the second pass and later.
  const auto passes = passes_until_it_fits(copy, 20);
  REQUIRE(passes);
  CHECK(*passes > 1);
  CHECK(copy.figures().remaining_bytes <= megabyte);
  CHECK(copy.figures().transferred_bytes == Approx(198e6).epsilon(0.01));
}

TEST_CASE("a guest that writes as fast as it is copied never fits, but for its working set") {
  sim_precopy copy(100 * megabyte, 20 * megabyte, 40 * megabyte);
  copy.set_speed(10 * megabyte);
  SECTION("the working set is more than the limit") {
    copy.set_limit(3900);
    CHECK_FALSE(passes_until_it_fits(copy, 1000));
  }
  SECTION("the working set is within the limit") {
    copy.set_limit(4100);
    CHECK(passes_until_it_fits(copy, 10));
  }
}

TEST_CASE("what stands still has no next moment, and is written to all the same") {
  sim_precopy copy(100 * megabyte, megabyte, 10 * megabyte);
  copy.set_speed(0);
  copy.set_limit(1'000'000);
  CHECK_FALSE(copy.next());
  CHECK_FALSE(copy.fits_the_limit());
  copy.advance(std::chrono::seconds{5});
  CHECK(copy.figures().remaining_bytes == 105 * megabyte);
  copy.advance(std::chrono::hours{5});
  CHECK(copy.figures().remaining_bytes == 110 * megabyte);
}

TEST_CASE("a stopped guest's rest is the last pass") {
  sim_precopy copy(100 * megabyte, megabyte, 10 * megabyte);
  copy.set_speed(10 * megabyte);
  copy.set_limit(10'000'000);
  copy.advance(std::chrono::seconds{2});
  CHECK(copy.fits_the_limit());
  copy.stop_guest();
  CHECK(copy.figures().remaining_bytes == 82 * megabyte);
  CHECK(copy.next() == milliseconds{8200});
  copy.advance(milliseconds{8200});
  CHECK(copy.is_pass_over());
  CHECK(copy.figures().remaining_bytes == 0);
}

} // namespace drover
