#include "runtime/guest/beacon_stream.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>

using drover::beacon_process_id;
using drover::beacon_stream;
using drover::mono_time;
using std::chrono::milliseconds;

namespace {

constexpr std::uint32_t counter_end = 1U << 25;

std::string frame(std::uint32_t counter, std::uint32_t flags = 0) {
  return {
    static_cast<char>(0x80U | flags << 4 | counter >> 21), static_cast<char>(counter >> 14 & 0x7FU),
    static_cast<char>(counter >> 7 & 0x7FU), static_cast<char>(counter & 0x7FU)};
}

/// A stream and its clock: each beat comes 10 ms after the one before.
struct rig {
  beacon_stream stream;
  mono_time now{milliseconds{1000}};

  void beat(beacon_process_id process, std::uint32_t counter, std::uint32_t flags = 0) {
    now += milliseconds{10};
    stream.feed(process, frame(counter, flags), now);
  }
  void beats(beacon_process_id process, std::uint32_t first, std::uint32_t last) {
    for (auto counter = first; counter <= last; ++counter)
      beat(process, counter);
  }
  const drover::beacon_report& report() const { return stream.report(); }
};

} // namespace

TEST_CASE("beats of one process are contiguous", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 1, 300);
  CHECK(r.report().beats == 300);
  CHECK(r.report().contiguous());
  CHECK(r.report().last_counter == 300);
  CHECK(r.report().longest_silence == milliseconds{10});
  CHECK(r.report().switchovers.empty());
  CHECK(to_string(r.report()) == "300 beats, 0 switchovers, longest silence 10.0 ms, contiguous");
}

TEST_CASE("an observer that comes late has lost nothing", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 70'000, 70'010);
  CHECK(r.report().contiguous());
  CHECK(r.report().beats == 11);
}

TEST_CASE("bytes may come in any portions", "[pure]") {
  const auto text = frame(200) + frame(201) + frame(202);
  for (std::size_t portion = 1; portion <= text.size(); ++portion) {
    rig r;
    const auto source = r.stream.add_process(11);
    for (std::size_t at = 0; at < text.size(); at += portion)
      r.stream.feed(source, std::string_view(text).substr(at, portion), r.now);
    CHECK(r.report().beats == 3);
    CHECK(r.report().contiguous());
    CHECK(r.report().torn_bytes == 0);
  }
}

TEST_CASE("a switchover goes on with the next beat and its pause is told", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 1, 5);
  const auto target = r.stream.add_process(12);
  r.now += milliseconds{32};
  r.beats(target, 6, 9);
  CHECK(r.report().contiguous());
  CHECK(r.report().longest_silence == milliseconds{42});
  REQUIRE(r.report().switchovers.size() == 1);
  const auto& switchover = r.report().switchovers[0];
  CHECK(switchover.from == source);
  CHECK(switchover.to == target);
  CHECK(switchover.pause == milliseconds{42});
  CHECK_FALSE(switchover.restarted);
  CHECK(r.report().processes[0].last_counter == 5);
  CHECK(r.report().processes[1].beats == 4);
  CHECK(r.report().processes[1].first_at == switchover.at);
}

TEST_CASE("a frame that straddles the switchover is one beat", "[pure]") {
  for (std::size_t sent = 1; sent <= 3; ++sent) {
    rig r;
    const auto source = r.stream.add_process(11);
    r.beats(source, 1, 700);
    r.stream.feed(source, frame(701).substr(0, sent), r.now);
    r.stream.add_process(12); // An attempt that failed before it sent anything.
    const auto target = r.stream.add_process(13);
    r.now += milliseconds{5};
    r.stream.feed(target, frame(701).substr(sent), r.now);
    r.beats(target, 702, 710);
    CHECK(r.report().contiguous());
    CHECK(r.report().beats == 710);
    CHECK(r.report().torn_bytes == 0);
    REQUIRE(r.report().switchovers.size() == 1);
    CHECK(r.report().switchovers[0].to == target);
    CHECK(r.report().switchovers[0].pause == milliseconds{5});
  }
}

TEST_CASE("counters that never came are lost", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 1, 5);
  r.beats(source, 9, 10);
  CHECK(r.report().lost == 3);
  CHECK_FALSE(r.report().contiguous());
  CHECK_FALSE(r.report().ran_twice());

  const auto target = r.stream.add_process(12);
  r.beats(target, 13, 14);
  CHECK(r.report().lost == 5);
  CHECK(to_string(r.report()) == "9 beats, 1 switchovers, longest silence 10.0 ms, 5 lost");
}

TEST_CASE("a target that goes back in time repeats beats", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 1, 20);
  const auto target = r.stream.add_process(12);
  r.beats(target, 18, 25);
  CHECK(r.report().repeated == 3);
  CHECK(r.report().lost == 0);
  CHECK(r.report().overlapped == 0);
  CHECK(r.report().ran_twice());
  CHECK(r.report().last_counter == 25);
}

TEST_CASE("a beat that comes twice is repeated", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 1, 5);
  r.beat(source, 5);
  r.beat(source, 6);
  CHECK(r.report().repeated == 1);
  CHECK(r.report().lost == 0);
}

TEST_CASE("an old process that beats after a newer one ran twice", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 1, 5);
  const auto target = r.stream.add_process(12);
  r.beats(target, 6, 30);
  r.beat(source, 6);
  CHECK(r.report().overlapped == 1);
  CHECK(r.report().repeated == 0);
  r.beat(target, 31);
  r.beat(source, 7);
  r.beat(target, 32);
  CHECK(r.report().overlapped == 2);
  CHECK(r.report().lost == 0);
  CHECK(r.report().ran_twice());
  CHECK_FALSE(r.report().contiguous());
  CHECK(r.report().switchovers.size() == 1);
}

TEST_CASE("two processes whose bytes interleave keep their own frames", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  const auto target = r.stream.add_process(12);
  r.beats(source, 1, 3);
  r.beat(target, 4);
  const auto old_frame = frame(4);
  const auto new_frame = frame(5);
  for (std::size_t i = 0; i < old_frame.size(); ++i) {
    r.stream.feed(source, old_frame.substr(i, 1), r.now);
    r.stream.feed(target, new_frame.substr(i, 1), r.now);
  }
  CHECK(r.report().beats == 6);
  CHECK(r.report().overlapped == 1);
  CHECK(r.report().torn_bytes == 0);
  CHECK(r.report().last_counter == 5);
}

TEST_CASE("an old process that finishes a frame which a newer one finished ran twice", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  const auto target = r.stream.add_process(12);
  r.beats(source, 1, 3);
  r.stream.feed(source, frame(4).substr(0, 2), r.now);
  r.stream.feed(target, frame(4).substr(2), r.now);
  CHECK(r.report().contiguous());
  r.stream.feed(source, frame(4).substr(2), r.now);
  CHECK(r.report().overlapped == 2);
  CHECK(r.report().torn_bytes == 2);
}

TEST_CASE("a source that runs on after a failed attempt is contiguous", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, 1, 5);
  const auto target = r.stream.add_process(12);
  r.stream.end_process(target);
  r.beats(source, 6, 9);
  CHECK(r.report().contiguous());
  CHECK(r.report().switchovers.empty());
  CHECK(r.report().processes[0].connected);
  CHECK_FALSE(r.report().processes[1].connected);
}

TEST_CASE("a counter at one again is a restart", "[pure]") {
  rig r;
  const auto first = r.stream.add_process(11);
  r.beats(first, 1, 50);
  SECTION("in a new process, after one that was killed within a frame") {
    r.stream.feed(first, frame(51).substr(0, 3), r.now);
    r.stream.end_process(first);
    const auto second = r.stream.add_process(12);
    r.beats(second, 1, 5);
    REQUIRE(r.report().switchovers.size() == 1);
    CHECK(r.report().switchovers[0].restarted);
  }
  SECTION("in the same process") {
    r.beats(first, 1, 5);
    CHECK(r.report().switchovers.empty());
  }
  CHECK(r.report().restarted == 1);
  CHECK(r.report().beats == 55);
  CHECK(r.report().lost == 0);
  CHECK_FALSE(r.report().ran_twice());
  CHECK_FALSE(r.report().contiguous());
}

TEST_CASE("the counter wraps after 25 bits", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beats(source, counter_end - 3, counter_end - 1);
  SECTION("without a gap") {
    r.beats(source, 0, 3);
    CHECK(r.report().contiguous());
    CHECK(r.report().beats == 7);
  }
  SECTION("with a gap") {
    r.beats(source, 3, 4);
    CHECK(r.report().lost == 3);
    CHECK_FALSE(r.report().ran_twice());
  }
}

TEST_CASE("the guest's flags stay", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beat(source, 1);
  r.beat(source, 2, 1);
  r.beat(source, 3, 0);
  CHECK(r.report().flags.stale_page);
  CHECK_FALSE(r.report().flags.stale_sector);
  r.beat(source, 4, 2);
  CHECK(r.report().flags.stale_sector);
  CHECK_FALSE(r.report().flags.disk_error);
  r.beat(source, 5, 4);
  CHECK(r.report().flags.disk_error);
  CHECK(r.report().last_counter == 5);
  CHECK_FALSE(r.report().contiguous());
}

TEST_CASE("a counter and flags of all ones are decoded", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.beat(source, counter_end - 1, 7);
  CHECK(r.report().last_counter == counter_end - 1);
  CHECK(r.report().flags == drover::beacon_flags{true, true, true});
}

TEST_CASE("bytes outside of frames are counted and skipped", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.stream.feed(source, "abc", r.now);
  r.beat(source, 1);
  r.stream.feed(source, frame(2).substr(0, 2) + frame(2) + "x", r.now);
  CHECK(r.report().torn_bytes == 6);
  CHECK(r.report().contiguous());
  CHECK(r.report().beats == 2);
}

TEST_CASE("the newest process is known again by its pid, an older one is not", "[pure]") {
  rig r;
  const auto source = r.stream.add_process(11);
  r.stream.end_process(source);
  CHECK_FALSE(r.report().processes[0].connected);
  CHECK(r.stream.add_process(11) == source);
  CHECK(r.report().processes[0].connected);
  const auto target = r.stream.add_process(12);
  CHECK(target != source);
  const auto reused_pid = r.stream.add_process(11);
  CHECK(reused_pid != source);
  CHECK(r.report().processes.size() == 3);
}
