// How streams share the network, converge or do not, and how long the pause is.
#include "tests/runtime/hypervisor/sim_bench.hpp"

namespace drover::test {

namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;

double seconds_between(mono_time from, mono_time to) { return seconds(to - from); }

/// From the stream's begin to the source's stop or end, of an idle guest of 64 MiB.
class idle_guests {
public:
  explicit idle_guests(sim_bench& bench) : b(bench) {}
  void begin(vm_id id, const node_id& from, const node_id& to, const stream_limits& limits = {}) {
    b.machines.set_load(id, {0, 0});
    b.put(id, from);
    b.attach_all();
    b.move_on(id, from, to, 7, limits);
    begun_[id] = b.queue.now();
  }
  double took(vm_id id, const node_id& from) {
    const auto end = from.value + " " + to_string(id) + " completed";
    b.run_to(end);
    return seconds_between(begun_.at(id), b.time_of(end));
  }

private:
  sim_bench& b;
  std::map<vm_id, mono_time> begun_;
};

/// 64 MiB at 100 MB/s.
constexpr double alone_s = 0.671;

} // namespace

TEST_CASE("a stream alone has the whole uplink, two of a node share it") {
  sim_bench b;
  idle_guests guests(b);
  guests.begin(vm_id{100}, b.source, b.target);
  SECTION("alone") { CHECK(guests.took(vm_id{100}, b.source) == Approx(alone_s).margin(0.05)); }
  SECTION("two from one node") {
    guests.begin(vm_id{101}, b.source, node_id{"n3"});
    CHECK(guests.took(vm_id{100}, b.source) == Approx(2 * alone_s).margin(0.1));
  }
  SECTION("two to one node") {
    guests.begin(vm_id{101}, node_id{"n3"}, b.target);
    CHECK(guests.took(vm_id{100}, b.source) == Approx(2 * alone_s).margin(0.1));
  }
  SECTION("a limit of its own leaves the other one its share") {
    guests.begin(vm_id{101}, b.source, node_id{"n3"}, {10'000'000, 0});
    CHECK(guests.took(vm_id{100}, b.source) == Approx(2 * alone_s).margin(0.1));
    CHECK(guests.took(vm_id{101}, b.source) == Approx(67'108'864 / 10e6).margin(0.3));
  }
}

TEST_CASE("what a stream leaves when it ends goes to the others") {
  sim_bench b;
  idle_guests guests(b);
  guests.begin(vm_id{100}, b.source, b.target);
  b.machines.set_load(vm_id{101}, {0, 0});
  guests.begin(vm_id{101}, b.source, node_id{"n3"});
  b.run_for(milliseconds{200});
  b.machines.kill(b.source, vm_id{101});
  // Some 0.2 s at half the speed cost 0.1 s.
  CHECK(guests.took(vm_id{100}, b.source) == Approx(alone_s + 0.1).margin(0.06));
}

TEST_CASE("a guest that writes faster than its stream never stops, until its limit is raised") {
  sim_bench b;
  b.machines.set_load(b.vm, {200'000'000, 32 * mebibyte});
  b.put(b.vm, b.source);
  b.attach_all();
  b.move_on(b.vm, b.source, b.target, 7);
  b.run_for(std::chrono::minutes{10});
  CHECK_FALSE(b.changed("n1 100 stopped"));
  REQUIRE(b.heard(b.source).progress.size() > 100);
  const auto figures = b.heard(b.source).progress.back();
  CHECK(figures.total_bytes == 64 * mebibyte);
  CHECK(figures.remaining_bytes >= 32 * mebibyte);
  CHECK(figures.transferred_bytes > 10 * figures.total_bytes);
  CHECK(figures.passes > 100);
  CHECK(figures.expected_downtime_ms > 300);
  SECTION("not far enough") {
    REQUIRE(b.ask<done>([&](auto reply) { b.at(b.source).set_downtime_limit(b.vm, 300, reply); }));
    b.run_for(std::chrono::minutes{1});
    CHECK_FALSE(b.changed("n1 100 stopped"));
  }
  SECTION("far enough") {
    REQUIRE(b.ask<done>([&](auto reply) { b.at(b.source).set_downtime_limit(b.vm, 400, reply); }));
    b.run_for(std::chrono::seconds{2});
    CHECK(b.changed("n1 100 completed"));
  }
}

TEST_CASE("a paused guest writes nothing, so its stream ends whatever it did when it ran") {
  sim_bench b;
  b.machines.set_load(b.vm, {200'000'000, 32 * mebibyte});
  b.put(b.vm, b.source, wire::run_state::paused);
  b.attach_all();
  b.move_on(b.vm, b.source, b.target, 7);
  b.run_for(std::chrono::seconds{2});
  CHECK(b.changed("n1 100 completed"));
}

TEST_CASE("a guest that writes slower than its stream stops within its limit") {
  sim_bench b;
  b.begin_move({0, 50});
  b.run_to("n2 100 loaded");
  const auto pause =
    seconds_between(b.time_of("n1 100 stopped"), b.time_of("n2 100 loaded")) - 0.020;
  CHECK(pause > 0.03);
  CHECK(pause <= 0.0501);
}

TEST_CASE("the pause is the rest over the uplink, the loading and the acknowledgement") {
  sim_bench b;
  b.begin_move({50'000'000, 100});
  b.run_to("n1 100 completed");
  // 5 MB were allowed at the limited 50 MB/s; the limit does not hold in the switchover.
  const auto stopped = b.time_of("n1 100 stopped");
  CHECK(seconds_between(stopped, b.time_of("n2 100 loaded")) == Approx(0.050 + 0.020).margin(1e-4));
  CHECK(
    seconds_between(b.time_of("n2 100 loaded"), b.time_of("n1 100 completed")) ==
    Approx(0.010).margin(1e-9));
}

TEST_CASE("the outcome tells when the source stopped and what went over") {
  sim_bench b;
  b.begin_move();
  b.run_to("n1 100 completed");
  b.run_for(milliseconds{1});
  const auto outcome = b.at(b.source).stream_outcome(b.vm, epoch{7});
  REQUIRE(outcome);
  CHECK(outcome->stopped == b.heard(b.source).find("stopped")->at);
  CHECK(outcome->transferred_bytes >= 64 * mebibyte);
  CHECK(outcome->transferred_bytes < 90 * mebibyte);
  CHECK(
    *outcome->ended - *outcome->stopped == std::chrono::duration_cast<std::chrono::microseconds>(
                                             b.time_of("n1 100 completed").time_since_epoch()) -
                                             std::chrono::duration_cast<std::chrono::microseconds>(
                                               b.time_of("n1 100 stopped").time_since_epoch()));
}

TEST_CASE("a small VM costs a handful of events and tells no figures") {
  sim_bench b(sim_machine_settings{});
  b.put(b.vm, b.source, wire::run_state::running, 2048);
  b.attach_all();
  std::size_t steps = 0;
  const auto& text = b.at(b.source).started_config(b.vm);
  b.at(b.target).receive(b.vm, epoch{7}, *text, [&](const auto&) {
    b.at(b.target).open_door(b.vm, epoch{7}, stream_kind::tls, [&](const auto& door) {
      b.at(b.source).stream(b.vm, epoch{7}, *door, {10'000'000'000, 2500}, [](const auto&) {});
    });
  });
  while (b.queue.step())
    ++steps;
  CHECK(b.changed("n1 100 completed"));
  CHECK(b.heard(b.source).progress.empty());
  CHECK(steps < 20);
}

TEST_CASE("the same seed gives the same changes at the same times, another one does not") {
  const auto run = [](std::uint64_t seed) {
    sim_bench b(sim_machine_settings{}, seed);
    for (std::uint32_t id = 100; id < 140; ++id)
      b.put(vm_id{id}, b.source);
    b.attach_all();
    for (std::uint32_t id = 100; id < 140; ++id) {
      b.at(b.target).receive(
        vm_id{id}, epoch{7}, b.config(vm_id{id}), [&b, id](const auto& received) {
          REQUIRE(received);
          b.at(b.target).open_door(
            vm_id{id}, epoch{7}, stream_kind::tls, [&b, id](const auto& door) {
              b.at(b.source).stream(vm_id{id}, epoch{7}, *door, {}, [](const auto&) {});
            });
        });
    }
    b.run_for(milliseconds{150});
    b.machines.cut_streams(b.source);
    b.run_for(std::chrono::seconds{20});
    std::string all;
    for (std::size_t i = 0; i < b.changes.size(); ++i)
      all += std::to_string(b.when[i].time_since_epoch().count()) + " " + b.changes[i] + "\n";
    return all;
  };
  const auto once = run(3);
  CHECK(once.size() > 1000);
  CHECK(once == run(3));
  CHECK(once != run(4));
}

} // namespace drover::test
