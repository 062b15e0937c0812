#include "tests/contracts/hypervisor_calls.hpp"
#include "tests/contracts/hypervisor_contract.hpp"

namespace drover::contracts {

using wire::run_state;
using wire::stream_end;

void check_moves(const hypervisor_rig_maker& make) {
  hypervisor_calls node(make());
  const auto config = node.rig().small_config();

  SECTION("a VM moves: one copy runs, the other waits to be quit") {
    node.begin_move(7, config);
    node.wait_completed();
    CHECK(node.state(side::source) == run_state::postmigrate);
    CHECK(node.state(side::target) == run_state::incoming);
    CHECK(*node.facts(side::source) == *node.facts(side::target));
    const auto resumed = node.resume(side::target);
    REQUIRE(code_of(resumed) == "ok");
    CHECK(node.state(side::target) == run_state::running);
    const auto* stopped = node.heard(side::source).find("stopped");
    const auto* loaded = node.heard(side::target).find("completed");
    REQUIRE(stopped != nullptr);
    CHECK(stopped->at < loaded->at);
    CHECK(loaded->at < *resumed);
    CHECK(node.heard(side::target).has("resumed"));
    const auto outcome = node.at(side::source).stream_outcome(node.vm, epoch{7});
    REQUIRE(outcome);
    CHECK(outcome->end == stream_end::completed);
    CHECK(outcome->stopped == stopped->at);
    CHECK_FALSE(node.at(side::source).stream_outcome(node.vm, epoch{6}));
    CHECK(code_of(node.quit(side::source)) == "ok");
    CHECK(node.at(side::source).list().empty());
  }
  SECTION("it moves back under a higher number") {
    node.begin_move(7, config);
    node.wait_completed();
    REQUIRE(code_of(node.resume(side::target)) == "ok");
    REQUIRE(code_of(node.quit(side::source)) == "ok");
    REQUIRE(code_of(node.ask<machine_status>([&](auto reply) {
              node.at(side::source).receive(node.vm, epoch{8}, config, reply);
            })) == "ok");
    const auto door = node.ask<listening>(
      [&](auto reply) { node.at(side::source).open_door(node.vm, epoch{8}, node.kind, reply); });
    REQUIRE(code_of(door) == "ok");
    node.heard(side::source) = {};
    node.heard(side::target) = {};
    REQUIRE(code_of(node.ask<done>([&](auto reply) {
              node.at(side::target).stream(node.vm, epoch{8}, *door, {}, reply);
            })) == "ok");
    node.wait_completed();
    CHECK(code_of(node.resume(side::source)) == "ok");
    CHECK(node.state(side::target) == run_state::postmigrate);
  }
  SECTION("a source that has completed is continued only when told to") {
    node.begin_move(7, config);
    node.wait_completed();
    REQUIRE(code_of(node.kill(side::target)) == "ok");
    CHECK(node.state(side::source) == run_state::postmigrate);
    CHECK(code_of(node.resume(side::source)) == "ok");
    CHECK(node.state(side::source) == run_state::running);
  }
}

void check_doors(const hypervisor_rig_maker& make) {
  hypervisor_calls node(make());
  const auto config = node.rig().small_config();

  SECTION("the stream asked twice is one stream") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    REQUIRE(code_of(node.receive(7, config)) == "ok");
    const auto door = node.open_door(7);
    REQUIRE(code_of(door) == "ok");
    std::optional<result<done>> early;
    node.at(side::source).stream(node.vm, epoch{7}, *door, {}, [&](const result<done>& given) {
      early = given;
    });
    CHECK(code_of(node.stream(7, *door)) == "ok");
    node.wait_completed();
    CHECK(code_of(node.stream(7, *door)) == "ok");
    REQUIRE(early);
    CHECK(code_of(*early) == "ok");
  }
  SECTION("strangers at the door are turned away, and the right one still gets in") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    REQUIRE(code_of(node.receive(7, config)) == "ok");
    const auto first = node.open_door(7);
    const auto door = node.open_door(7);
    REQUIRE(code_of(door) == "ok");
    CHECK(door->token != first->token);
    CHECK(node.rig().is_turned_away(*door, std::string(door->token.size(), '0')));
    CHECK(node.rig().is_turned_away(*door, first->token));
    REQUIRE(code_of(node.stream(7, *door)) == "ok");
    node.wait_completed();
    CHECK(code_of(node.open_door(7)) == "refused");
  }
  SECTION("a door that nobody opens: the stream has failed, the VM runs, and it may begin anew") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    REQUIRE(code_of(node.receive(7, config)) == "ok");
    const auto door = node.open_door(7);
    REQUIRE(code_of(door) == "ok");
    auto wrong = *door;
    wrong.token.back() = wrong.token.back() == '0' ? '1' : '0';
    const auto refused = node.stream(7, wrong);
    CHECK_FALSE(refused);
    CHECK(node.state(side::source) == run_state::running);
    node.wait_heard(side::source, "failed");
    const auto ended = node.at(side::source).stream_outcome(node.vm, epoch{7});
    REQUIRE(ended);
    CHECK(ended->end == wire::stream_end::failed);
    CHECK(code_of(node.cancel(7)) == "ok");
    const auto again = node.stream(7, *door);
    INFO((again ? "" : to_string(again.error())));
    CHECK(code_of(again) == "ok");
    node.wait_completed();
  }
}

void check_broken_streams(const hypervisor_rig_maker& make) {
  hypervisor_calls node(make());
  const auto config = node.rig().large_config();
  const auto slow = node.rig().slow_limits();

  SECTION("the target dies while memory is copied: the source fails and runs on") {
    node.begin_move(7, config, slow);
    node.rig().crash(side::target, node.vm);
    node.wait_heard(side::source, "failed");
    node.wait_heard(side::target, "exit");
    CHECK(node.heard(side::target).has("failed"));
    CHECK(node.state(side::source) == run_state::running);
    CHECK_FALSE(node.heard(side::source).find("failed")->reason.empty());
    CHECK_FALSE(node.heard(side::source).has("stopped"));
    node.heard(side::source) = {};
    node.begin_stream(8);
    node.wait_heard(side::source, "completed");
    CHECK(code_of(node.resume(side::target)) == "ok");
  }
  SECTION("a stream is cancelled before the switchover: the source runs on and can move later") {
    node.begin_move(7, config, slow);
    CHECK(code_of(node.cancel(6)) == "conflict");
    CHECK(code_of(node.cancel(7)) == "ok");
    CHECK(node.heard(side::source).has("cancelled"));
    CHECK(node.state(side::source) == run_state::running);
    CHECK(code_of(node.cancel(7)) == "ok");
    node.wait_heard(side::target, "failed");
    node.wait_for("the receiver is gone", [&] { return node.at(side::target).list().empty(); });
    node.begin_stream(8);
    node.wait_heard(side::source, "completed");
  }
  SECTION("what has completed cannot be cancelled") {
    node.begin_move(7, config);
    node.wait_completed();
    CHECK(code_of(node.cancel(7)) == "refused");
    CHECK(node.state(side::source) == run_state::postmigrate);
  }
  SECTION("a higher limit ends a stream that is slow") {
    node.begin_move(7, config, slow);
    node.wait_for("figures", [&] { return !node.heard(side::source).progress.empty(); });
    const auto figures = node.heard(side::source).progress.back();
    CHECK(figures.total_bytes > 0);
    CHECK(figures.remaining_bytes > 0);
    constexpr std::uint32_t limit_most_ms = 2'000'000;
    CHECK(code_of(node.ask<done>([&](auto reply) {
            node.at(side::source).set_downtime_limit(node.vm, limit_most_ms, reply);
          })) == "ok");
    node.wait_completed();
    CHECK(node.heard(side::source).has("stopped"));
  }
}

void check_stream_settings(const hypervisor_rig_maker& make) {
  hypervisor_calls node(make());

  SECTION("a stream with another key fails, and the VM runs on") {
    REQUIRE(code_of(node.start(side::source, node.rig().large_config())) == "ok");
    REQUIRE(code_of(node.receive(7, node.rig().large_config())) == "ok");
    auto door = node.open_door(7);
    REQUIRE(code_of(door) == "ok");
    REQUIRE_FALSE(door->key.empty());
    door->key.back() = door->key.back() == '0' ? '1' : '0';
    REQUIRE(code_of(node.stream(7, *door)) == "ok");
    node.wait_heard(side::source, "failed");
    CHECK(node.state(side::source) == run_state::running);
    CHECK_FALSE(node.heard(side::target).has("completed"));
    CHECK(code_of(node.kill(side::target)) == "ok");
  }
  SECTION("a plain stream has no key, and moves as well") {
    node.kind = stream_kind::plain;
    REQUIRE(code_of(node.start(side::source, node.rig().large_config())) == "ok");
    REQUIRE(code_of(node.receive(7, node.rig().large_config())) == "ok");
    const auto door = node.open_door(7);
    REQUIRE(code_of(door) == "ok");
    CHECK(door->key.empty());
    REQUIRE(code_of(node.stream(7, *door)) == "ok");
    node.wait_completed();
    CHECK(node.open_door(7).error().code == errc::refused);
  }
  SECTION("a stream goes on at another bandwidth") {
    node.begin_move(7, node.rig().large_config(), node.rig().slow_limits());
    CHECK(code_of(node.ask<done>([&](auto reply) {
            node.at(side::source).set_bandwidth(node.vm, 0, reply);
          })) == "ok");
    node.wait_completed();
  }
}

void check_restarts(const hypervisor_rig_maker& make) {
  hypervisor_calls node(make());

  SECTION("a new driver finds what runs, with its config") {
    REQUIRE(code_of(node.start(side::source, node.rig().small_config())) == "ok");
    const auto config = *node.at(side::source).started_config(node.vm);
    CHECK(
      node.restart(side::source) ==
      std::vector{machine_status{node.vm, run_state::running, epoch{}}});
    CHECK(*node.at(side::source).started_config(node.vm) == config);
    CHECK(code_of(node.start(side::source, config)) == "conflict");
    CHECK(code_of(node.quit(side::source)) == "ok");
    CHECK(node.restart(side::source).empty());
  }
  SECTION("a new driver of the source hears the end of a stream that goes on") {
    node.begin_move(7, node.rig().large_config(), node.rig().slow_limits());
    const auto found = node.restart(side::source);
    REQUIRE(found.size() == 1);
    CHECK(found[0].number == epoch{7});
    node.wait_heard(side::target, "completed");
    node.wait_heard(side::source, "completed");
    CHECK(node.at(side::source).stream_outcome(node.vm, epoch{7})->end == stream_end::completed);
  }
  SECTION("a new driver of the source tells the end that the old one missed") {
    node.begin_move(7, node.rig().small_config());
    node.wait_completed();
    const auto found = node.restart(side::source);
    CHECK(found == std::vector{machine_status{node.vm, run_state::postmigrate, epoch{7}}});
    node.wait_heard(side::source, "completed");
    CHECK(code_of(node.cancel(7)) == "refused");
  }
  SECTION("a new driver of the target tells what is loaded, and lets it run") {
    node.begin_move(7, node.rig().small_config());
    node.wait_completed();
    const auto found = node.restart(side::target);
    CHECK(found == std::vector{machine_status{node.vm, run_state::incoming, epoch{7}}});
    node.wait_heard(side::target, "completed");
    CHECK(code_of(node.resume(side::target)) == "ok");
    CHECK(node.state(side::target) == run_state::running);
  }
  SECTION("a new driver of the target hears that the copying ended") {
    node.begin_move(7, node.rig().large_config(), node.rig().slow_limits());
    CHECK(node.restart(side::target).size() == 1);
    CHECK(code_of(node.resume(side::target)) == "refused");
    node.wait_heard(side::target, "completed");
  }
  SECTION("a receiver whose stream never came is void after the driver's restart, not lost") {
    REQUIRE(code_of(node.receive(7, node.rig().small_config())) == "ok");
    const auto found = node.restart(side::target);
    CHECK(found == std::vector{machine_status{node.vm, run_state::incoming, epoch{7}}});
    CHECK(code_of(node.kill(side::target)) == "ok");
    CHECK(node.heard(side::target).has("failed"));
  }
}

} // namespace drover::contracts
