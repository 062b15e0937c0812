// What each policy costs and promises: the store's writes inside the pause, the cluster's lock, the
// early move and its way back, and a move that a partition takes back.
#include "tests/runtime/agent/agent_rig.hpp"

#include <algorithm>

using namespace drover;
using namespace drover::test;

namespace {

using strings = std::vector<std::string>;

constexpr const char* lock_name = "drover-handover";

void check_stayed(rig& world) {
  // A copy that has loaded everything ends when its node sees that the source runs.
  world.clock.run_for(std::chrono::seconds{2});
  CHECK(world.machines.violations.empty());
  CHECK(world.runs(world.source));
  CHECK(world.owner() == n1);
  CHECK(world.config() == config_text(vm));
  CHECK(world.record().state == record_state::settled);
  CHECK(world.record().outcome == source_outcome::kept);
  CHECK_FALSE(world.target.machines.machines.contains(vm));
  CHECK_FALSE(world.is_locked());
}

/// Back-out as the controller asks for it.
void back_out(rig& world, const journey& j) {
  const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
  REQUIRE(proof);
  const auto found = world.source.machines.find(vm);
  if (found && found->state == wire::run_state::postmigrate)
    REQUIRE(world.source.ask(wire::continue_source{j.evidence(), *proof}));
  REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
}

} // namespace

TEST_CASE("the writes inside the pause are those of the policy's row", "[agent]") {
  const std::map<policy, strings> rows{
    {policy::check, {"n1 move"}},
    {policy::nocheck, {"n1 move"}},
    {policy::lock, {"n1 take_lock", "n1 move", "n1 drop_lock", "n2 take_lock", "n2 drop_lock"}},
    {policy::early, {}},
    {policy::claim, {"n2 move"}},
    {policy::ticket, {}}};
  for (const auto how : all_policies) {
    INFO(to_string(how));
    rig world;
    journey j{world, how};
    j.run(journey::begin, journey::source_end);
    world.clock.run_until([&] { return world.machines.running(vm) == 0; }, milliseconds{100});
    const auto stopped = world.cluster.calls.size();
    j.run(journey::source_end, journey::claim);
    const auto resumed = world.call("n2", "qemu.RESUME");
    CHECK(world.writes(stopped, resumed) == rows.at(how));
    // A read may hang as long as a write: only check and lock look inside the pause.
    const auto looked = world.call("n2", "store.read_owner", stopped) < resumed;
    CHECK(looked == (how == policy::check || how == policy::lock));
    j.run(journey::claim, journey::end);
    j.check_moved();
    CHECK_FALSE(world.is_locked());
  }
}

TEST_CASE("only check is stopped by a view that lags", "[agent]") {
  for (const auto how : all_policies) {
    INFO(to_string(how));
    rig world;
    journey j{world, how};
    j.run(journey::begin, journey::move);
    world.target.store.lags = true;
    REQUIRE(j.ask(journey::move));
    const auto taken = world.target.ask(wire::take_over{{j.evidence()}});
    CHECK(taken.has_value() == (how != policy::check));
    if (taken)
      CHECK(taken->raced == (how == policy::nocheck));
    else
      CHECK(taken.error().code == errc::conflict);
    world.target.store.lags = false;
  }
}

TEST_CASE(
  "nocheck looks only after the VM runs, and says when a check would have failed", "[agent]") {
  for (const bool lags : {false, true}) {
    rig world;
    journey j{world, policy::nocheck};
    j.run(journey::begin, journey::move);
    world.target.store.lags = lags;
    REQUIRE(j.ask(journey::move));
    const auto from = world.cluster.calls.size();
    const auto taken = world.target.ask(wire::take_over{{j.evidence()}});
    REQUIRE(taken);
    CHECK(taken->raced == lags);
    CHECK(world.call("n2", "qemu.RESUME", from) < world.call("n2", "store.read_owner", from));
  }
}

TEST_CASE("a held lock is waited for on both sides", "[agent]") {
  for (const auto at : {journey::move, journey::take_over}) {
    rig world;
    journey j{world, policy::lock};
    j.run(journey::begin, at);
    world.source.store.take_lock(lock_name, "somebody", [](auto) {});
    auto& node = at == journey::move ? world.source : world.target;
    const auto id = at == journey::move
                      ? node.send(wire::move_config{{j.evidence()}}, milliseconds{120'000})
                      : node.send(wire::take_over{{j.evidence()}}, milliseconds{120'000});
    world.clock.run_for(std::chrono::seconds{60});
    CHECK(node.reply_to(id) == nullptr);
    CHECK(world.machines.running(vm) == 0);
    world.source.store.drop_lock(lock_name, "somebody", [](auto) {});
    world.clock.run_for(milliseconds{500});
    REQUIRE(node.reply_to(id));
    CHECK(node.reply_to(id)->body);
    j.run(at, journey::end);
    j.check_moved();
    CHECK_FALSE(world.is_locked());
  }
}

TEST_CASE("a lock that is never free is given up after 90 s, and the VM goes back", "[agent]") {
  for (const auto at : {journey::move, journey::take_over}) {
    rig world;
    journey j{world, policy::lock};
    j.run(journey::begin, at);
    world.source.store.take_lock(lock_name, "somebody", [](auto) {});
    auto& node = at == journey::move ? world.source : world.target;
    const auto begin = world.clock.now();
    const auto id = at == journey::move
                      ? node.send(wire::move_config{{j.evidence()}}, milliseconds{120'000})
                      : node.send(wire::take_over{{j.evidence()}}, milliseconds{120'000});
    REQUIRE(
      world.clock.run_until([&] { return node.reply_to(id) != nullptr; }, std::chrono::minutes{3}));
    CHECK(world.clock.now() - begin > std::chrono::seconds{89});
    CHECK(world.clock.now() - begin < std::chrono::seconds{91});
    REQUIRE_FALSE(node.reply_to(id)->body);
    CHECK(node.reply_to(id)->body.error().code == errc::refused);
    back_out(world, j);
    CHECK(
      world.cluster.latest.locks == std::map<std::string, std::string>{{lock_name, "somebody"}});
    world.source.store.drop_lock(lock_name, "somebody", [](auto) {});
    world.clock.run_for(milliseconds{1});
    check_stayed(world);
  }
}

TEST_CASE("a void ends the wait for the lock", "[agent]") {
  rig world;
  journey j{world, policy::lock};
  j.run(journey::begin, journey::take_over);
  world.source.store.take_lock(lock_name, "somebody", [](auto) {});
  const auto waiting = world.target.send(wire::take_over{{j.evidence()}}, milliseconds{120'000});
  world.clock.run_for(std::chrono::seconds{1});
  back_out(world, j);
  world.clock.run_for(std::chrono::seconds{1});
  REQUIRE(world.target.reply_to(waiting));
  CHECK_FALSE(world.target.reply_to(waiting)->body);
  world.source.store.drop_lock(lock_name, "somebody", [](auto) {});
  world.clock.run_for(milliseconds{1});
  check_stayed(world);
}

TEST_CASE("an error of the lock does not lose the handover", "[agent]") {
  for (const auto* call : {"take_lock", "drop_lock"})
    for (const auto fate : {fake_store::fate::applied, fake_store::fate::not_applied})
      for (const bool source : {true, false}) {
        INFO(call << (fate == fake_store::fate::applied ? " applied" : "") << source);
        rig world;
        auto& node = source ? world.source : world.target;
        node.store.faults[call] = {{errc::timeout, "the call hangs", {}}, fate, 3};
        journey j{world, policy::lock};
        j.run(journey::begin, journey::end);
        j.check_moved();
        world.clock.run_for(std::chrono::seconds{2});
        CHECK_FALSE(world.is_locked());
      }
}

TEST_CASE("a step under the lock that was cut short is asked again by the next agent", "[agent]") {
  for (const auto at : {journey::move, journey::take_over})
    for (int microseconds = 0; microseconds < 700; microseconds += 50) {
      INFO("step " << at << " cut after " << microseconds << " us");
      rig world;
      journey j{world, policy::lock};
      j.run(journey::begin, at);
      auto& node = at == journey::move ? world.source : world.target;
      if (at == journey::move)
        (void)node.send(wire::move_config{{j.evidence()}});
      else
        (void)node.send(wire::take_over{{j.evidence()}});
      world.clock.run_for(std::chrono::microseconds{microseconds});
      node.restart();
      node.greet();
      j.run(at, journey::end);
      j.check_moved();
      CHECK_FALSE(world.is_locked());
    }
}

TEST_CASE(
  "under early the target owns before the stream, and its view is no question after", "[agent]") {
  rig world;
  journey j{world, policy::early};
  j.run(journey::begin, journey::stream);
  CHECK(world.owner() == n2);
  CHECK(world.runs(world.source));
  j.run(journey::stream, journey::take_over);
  // Whatever the store does now, nobody asks it.
  for (const auto* call : {"read_owner", "read_record", "barrier", "move"})
    world.target.store.faults[call] = {{errc::timeout, "hangs", {}}, {}, 1};
  CHECK(j.ask(journey::take_over));
  world.target.store.faults.clear();
  j.run(journey::claim, journey::end);
  j.check_moved();
}

TEST_CASE("an early move that the target has not seen is no evidence", "[agent]") {
  rig world;
  journey j{world, policy::early};
  j.run(journey::begin, journey::early_see);
  j.run(journey::stream, journey::take_over);
  const auto taken = j.ask(journey::take_over);
  REQUIRE(!taken);
  CHECK(taken.error().code == errc::refused);
  back_out(world, j);
  check_stayed(world);
}

TEST_CASE("the target of an early move waits for its view, and not for ever", "[agent]") {
  rig world;
  journey j{world, policy::early};
  j.run(journey::begin, journey::early_see);
  world.target.store.lags = true;
  world.target.store.faults["barrier"] = {{errc::refused, "no quorum", {}}, {}, 1'000'000};
  const auto late = j.ask(journey::early_see);
  REQUIRE(!late);
  CHECK(late.error().code == errc::timeout);
  world.target.store.lags = false;
  CHECK(j.ask(journey::early_see));
}

TEST_CASE("an early move is taken back from every step before and after the stream", "[agent]") {
  for (const auto last :
       {journey::early_move, journey::early_see, journey::stream, journey::take_over})
    for (const auto fate : {fake_store::fate::applied, fake_store::fate::not_applied})
      for (const int faults : {0, 1, 3}) {
        INFO("before step " << last << ", " << faults << " faults");
        rig world;
        journey j{world, policy::early};
        j.run(journey::begin, last);
        world.source.store.faults["move"] = {{errc::timeout, "hangs", {}}, fate, faults};
        back_out(world, j);
        check_stayed(world);
        CHECK_FALSE(j.ask(journey::early_move));
        CHECK_FALSE(j.ask(journey::stream));
        CHECK_FALSE(j.ask(journey::take_over));
        check_stayed(world);
      }
}

TEST_CASE("an early move under way when the handover is settled does not come after", "[agent]") {
  for (int before = 0; before < 500; before += 20)
    for (int between = 0; between < 500; between += 60) {
      rig world;
      journey j{world, policy::early};
      j.run(journey::begin, journey::early_move);
      const auto settle = [&] { return world.source.send(wire::settle{{j.evidence()}}); };
      const auto move = [&] { return world.source.send(wire::move_config{{j.evidence()}}); };
      const bool move_first = before % 40 == 0;
      if (move_first)
        (void)move();
      world.clock.run_for(std::chrono::microseconds{before});
      (void)settle();
      world.clock.run_for(std::chrono::microseconds{between});
      if (!move_first)
        (void)move();
      world.clock.run_for(std::chrono::seconds{1});
      (void)world.target.ask(wire::void_handover{{j.evidence()}});
      check_stayed(world);
    }
}

TEST_CASE("a config that is taken back after the target runs is brought there again", "[agent]") {
  for (const auto how : all_policies)
    for (const auto at : {journey::claim, journey::settle}) {
      INFO(to_string(how) << " before step " << at);
      rig world;
      journey j{world, how};
      j.run(journey::begin, at);
      if (at == journey::claim && target_moves_config(how))
        REQUIRE(j.ask(journey::claim)); // let the claim end first
      world.target.store.move_config(vm, n2, n1, [](auto) {});
      world.clock.run_for(milliseconds{1});
      REQUIRE(world.owner() == n1);
      if (at == journey::claim && !target_moves_config(how))
        REQUIRE(j.ask(journey::claim));
      REQUIRE(j.ask(journey::settle));
      j.run(journey::release, journey::end);
      j.check_moved();
    }
}

TEST_CASE("no move of the target comes after its proof that the epoch is void", "[agent]") {
  for (const auto fate : {fake_store::fate::applied, fake_store::fate::not_applied})
    for (int microseconds = 0; microseconds < 1000; microseconds += 50) {
      rig world;
      journey j{world, policy::claim};
      j.run(journey::begin, journey::take_over);
      world.target.store.faults["move"] = {{errc::timeout, "hangs", {}}, fate, 2};
      const auto taking = world.target.send(wire::take_over{{j.evidence()}});
      world.clock.run_for(std::chrono::microseconds{microseconds});
      const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
      if (!proof) {
        CHECK(proof.error().what.find("too late") == 0);
        continue;
      }
      const auto proven = world.cluster.calls.size();
      REQUIRE(world.source.ask(wire::continue_source{j.evidence(), *proof}));
      REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
      world.clock.run_for(std::chrono::seconds{10});
      // The source would take the config back; nobody should have to.
      CHECK(world.call("n2", "store.move", proven) == world.cluster.calls.size());
      REQUIRE(world.target.reply_to(taking));
      CHECK_FALSE(world.target.reply_to(taking)->body);
      check_stayed(world);
    }
}

TEST_CASE("a store without quorum is no proof that the void came too late", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.target.store.faults["barrier"] = {{errc::refused, "no quorum", {}}, {}, 1};
  const auto first = world.target.ask(wire::void_handover{{j.evidence()}});
  REQUIRE(!first);
  CHECK(first.error().code == errc::retry);
  CHECK_FALSE(j.ask(journey::take_over));
  back_out(world, j);
  check_stayed(world);
}
