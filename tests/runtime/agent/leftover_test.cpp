// What should be over and is not: a settling that a healed partition has taken back, a record that
// the store has forgotten, a copy that nobody has ended.
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;

TEST_CASE("a settling that a partition has taken back is made again", "[agent]") {
  for (const bool forward : {false, true})
    for (const auto& [attempts, restarted] :
         {std::pair{1, false}, {2, false}, {1, true}, {2, true}}) {
      INFO(
        (forward ? "moved" : "stayed")
        << " in attempt " << attempts << (restarted ? ", new agents" : ""));
      rig world;
      handover_record first;
      for (int i = 1; i <= attempts; ++i) {
        journey j{world};
        const bool moves = forward && i == attempts;
        j.run(journey::begin, moves ? journey::settle : journey::stream);
        if (i == 1)
          first = world.record();
        if (moves) {
          REQUIRE(j.ask(journey::settle));
          continue;
        }
        REQUIRE(world.target.ask(wire::void_handover{{j.evidence()}}));
        REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
      }
      const auto owner = world.owner();
      REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
        all.records[vm] = first;
        all.configs.at(vm) = {n1, config_text(vm) + "lock: migrate\n"};
        return done{};
      }));
      if (restarted) {
        seat(world.source, "c:1");
        seat(world.target, "c:1");
      }
      world.clock.run_for(std::chrono::seconds{10});
      CHECK(world.owner() == owner);
      CHECK(world.config() == config_text(vm));
      CHECK(world.record().state == record_state::settled);
      CHECK(world.record().number == epoch{static_cast<std::uint64_t>(attempts)});
    }
}

TEST_CASE("a partition that lasts for long takes nothing back for good", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::end);
  const auto begun =
    handover_record{vm, epoch{1}, record_state::moving, n1, n2, policy::ticket, "c:1"};
  for (const auto after : {std::chrono::minutes{10}, std::chrono::minutes{60}}) {
    world.clock.run_for(after);
    REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
      all.records[vm] = begun;
      all.configs.at(vm) = {n1, config_text(vm) + "lock: migrate\n"};
      return done{};
    }));
    world.clock.run_for(std::chrono::seconds{90});
    j.check_moved();
  }
}

TEST_CASE("a change of the membership is followed by looks that are close together", "[agent]") {
  rig world;
  const auto become = [&](const std::string& members) {
    return world.cluster.append([members](auto& all) -> result<done> {
      all.membership = members;
      return done{};
    });
  };
  REQUIRE(become("n1 n2 n3"));
  journey j{world};
  j.run(journey::begin, journey::settle);
  REQUIRE(j.ask(journey::settle));
  world.clock.run_for(std::chrono::seconds{300}); // The looks are far apart by now.
  const auto looks_of = [&](std::chrono::seconds span) {
    const auto before = world.cluster.calls.size();
    world.clock.run_for(span);
    int looks = 0;
    for (auto i = before; i < world.cluster.calls.size(); ++i)
      looks += world.cluster.calls[i].what == "store.read_record" ? 1 : 0;
    return looks;
  };
  CHECK(looks_of(std::chrono::seconds{70}) <= 1);
  REQUIRE(become("n1 n2"));
  CHECK(looks_of(std::chrono::seconds{45}) >= 3);
  // What the healing takes back a while after the change is seen too.
  REQUIRE(become("n1 n2 n3"));
  REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
    all.configs.at(vm) = {n1, config_text(vm) + "lock: migrate\n"};
    all.records.at(vm).state = record_state::moving;
    return done{};
  }));
  world.clock.run_for(std::chrono::seconds{20});
  CHECK(world.owner() == n2);
  CHECK(world.config() == config_text(vm));
  CHECK(world.record().state == record_state::settled);
}

TEST_CASE("where nothing is ever taken back no membership is watched", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::settle);
  REQUIRE(j.ask(journey::settle));
  world.clock.run_for(std::chrono::seconds{300});
  int asked = 0;
  for (const auto& call : world.cluster.calls)
    asked += call.what == "store.read_membership" ? 1 : 0;
  CHECK(asked <= 2); // Once by each of the two nodes.
}

TEST_CASE("a lock that somebody else takes after the settling is left alone", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::end);
  REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
    all.configs.at(vm).second = config_text(vm) + "lock: migrate\n";
    return done{};
  }));
  world.clock.run_for(std::chrono::minutes{4});
  CHECK(world.config() == config_text(vm) + "lock: migrate\n");
}

TEST_CASE("a copy that nobody has ended goes when its handover is over", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::stream);
  world.clock.run_for(std::chrono::minutes{5});
  REQUIRE(world.target.machines.machines.contains(vm)); // it waits for its turn
  // The target is told nothing, and its mark cannot be written at first.
  REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
  world.target.marks.broken = error{errc::retry, "no space", {}};
  world.clock.run_for(std::chrono::minutes{6});
  CHECK(world.target.machines.machines.contains(vm));
  world.target.marks.broken.reset();
  world.clock.run_for(std::chrono::seconds{2});
  CHECK_FALSE(world.target.machines.machines.contains(vm));
}

TEST_CASE("what a request is at work on is not looked at", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::stream);
  (void)world.target.send(wire::await_outcome{{j.evidence()}}, std::chrono::minutes{10});
  const auto before = world.cluster.calls.size();
  world.clock.run_for(std::chrono::minutes{5});
  CHECK(world.call("n2", "store.read_record", before) == world.cluster.calls.size());
}

TEST_CASE("a record that a partition has taken back in the pause is made again", "[agent]") {
  for (const auto how : all_policies)
    for (const int ended : {0, 1}) {
      INFO(to_string(how) << (ended == 0 ? " before" : " after") << " the target ran");
      rig world;
      handover_record before;
      before.vm = vm;
      before.source = before.target = n1;
      journey j{world, how};
      j.run(journey::begin, ended == 0 ? journey::take_over : journey::claim);
      REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
        all.records.erase(vm);
        all.configs.at(vm) = {n1, config_text(vm)};
        return done{};
      }));
      seat(world.source, "c:2");
      seat(world.target, "c:2");
      world.clock.run_for(std::chrono::minutes{2});
      check_finished(world);
      CHECK(world.runs(world.target));
    }
}

TEST_CASE("a source's word that a partition has taken back is said again", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  const auto open = world.record();
  seat(world.source, "c:2");
  world.clock.run_for(std::chrono::seconds{3});
  REQUIRE(world.record().outcome == source_outcome::completed);
  REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
    all.records.at(vm) = open;
    return done{};
  }));
  seat(world.target, "c:2");
  world.clock.run_for(std::chrono::seconds{10});
  check_finished(world);
  CHECK(world.runs(world.target));
}

TEST_CASE("an unlock that is taken back before the record is settled is made again", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::release);
  const auto id = world.target.send(wire::settle{{j.evidence()}});
  REQUIRE(
    world.clock.run_until([&] { return world.config() == config_text(vm); }, milliseconds{100}));
  REQUIRE(world.record().state == record_state::moving);
  REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
    all.configs.at(vm).second = config_text(vm) + "lock: migrate\n";
    return done{};
  }));
  world.clock.run_for(milliseconds{100});
  REQUIRE(world.target.reply_to(id));
  CHECK(world.target.reply_to(id)->body);
  CHECK(world.config() == config_text(vm));
}

TEST_CASE("a config that is taken back over two epochs comes to its runner again", "[agent]") {
  rig world;
  journey first{world};
  first.run(journey::begin, journey::end);
  // From n2 back to n1, begun and given up.
  const auto begun = world.target.ask(wire::begin_handover{vm, n1, policy::ticket, "c:1"});
  REQUIRE(begun);
  REQUIRE(world.target.ask(wire::settle{{begun->evidence}}));
  REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
    all.records.erase(vm);
    all.configs.at(vm).first = n1;
    return done{};
  }));
  world.clock.run_for(std::chrono::seconds{10});
  CHECK(world.owner() == n2);
  CHECK(world.record().number == epoch{2});
  CHECK(world.record().state == record_state::settled);
}

TEST_CASE("an older record that comes back under a newer epoch is ended by it", "[agent]") {
  rig world;
  journey first{world};
  first.run(journey::begin, journey::receive);
  const auto open = world.record();
  const auto locked = world.config();
  REQUIRE(world.source.ask(wire::settle{{first.evidence()}}));
  journey second{world};
  second.run(journey::begin, journey::receive);
  REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
    all.records.at(vm) = open;
    all.configs.at(vm).second = locked;
    return done{};
  }));
  seat(world.source, "c:2");
  world.clock.run_for(std::chrono::seconds{10});
  CHECK(world.config() == config_text(vm));
  CHECK(world.record().number == epoch{2});
  CHECK(world.record().state == record_state::settled);
}

TEST_CASE("a begin that was never answered is settled by the next agent", "[agent]") {
  for (const bool locked : {false, true}) {
    INFO((locked ? "with its lock" : "without its lock"));
    rig world;
    if (!locked)
      world.source.store.faults["write_config"] = {
        {errc::lost, "its process has ended", {}}, fake_store::fate::not_applied, 1};
    (void)world.source.send(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
    REQUIRE(world.clock.run_until(
      [&] { return world.record().number == epoch{1}; }, std::chrono::seconds{1}));
    world.source.die();
    seat(world.source, "c:1");
    world.clock.run_for(std::chrono::seconds{20});
    CHECK(world.record().state == record_state::settled);
    CHECK(world.config() == config_text(vm));
  }
}

TEST_CASE("a record that a failed begin leaves late is settled by the next agent too", "[agent]") {
  rig world;
  // The store refuses the record and applies it in the end, when another agent has looked already.
  world.source.store.faults["write_record"] = {
    {errc::timeout, "the membership changes", {}}, fake_store::fate::not_applied, 1};
  REQUIRE_FALSE(world.source.ask(wire::begin_handover{vm, n2, policy::ticket, "c:1"}));
  seat(world.source, "c:1");
  world.clock.run_for(std::chrono::seconds{1});
  const handover_record late{vm, epoch{1}, record_state::moving, n1, n2, policy::ticket, "c:1"};
  REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
    all.records[vm] = late;
    return done{};
  }));
  world.clock.run_for(std::chrono::seconds{30});
  CHECK(world.record().number == epoch{1});
  CHECK(world.record().state == record_state::settled);
}

TEST_CASE("a begin that is asked again in time goes on under its epoch", "[agent]") {
  rig world;
  (void)world.source.send(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
  REQUIRE(world.clock.run_until(
    [&] { return world.config() != config_text(vm); }, std::chrono::seconds{1}));
  world.source.die();
  seat(world.source, "c:1");
  world.clock.run_for(std::chrono::seconds{1});
  journey j{world};
  j.run(journey::begin, journey::stream);
  CHECK(j.evidence().number() == epoch{1});
  world.clock.run_for(std::chrono::minutes{4});
  j.run(journey::stream, journey::end);
  j.check_moved();
}

TEST_CASE("a void that could not be marked ends its copy when the source runs", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::stream);
  (void)world.target.send(wire::await_outcome{{j.evidence()}}, std::chrono::minutes{10});
  world.target.marks.broken = error{errc::retry, "no space", {}};
  for (int i = 0; i < 3; ++i)
    CHECK_FALSE(world.target.ask(wire::void_handover{{j.evidence()}}));
  REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
  world.clock.run_for(std::chrono::seconds{3});
  CHECK_FALSE(world.target.machines.machines.contains(vm));
}

TEST_CASE("a begin whose answer was lost is settled when it is refused the next time", "[agent]") {
  rig world;
  journey lost{world};
  lost.run(journey::begin, journey::receive);
  seat(world.source, "c:1");
  world.source.store.faults["barrier"] = {
    {errc::refused, "no quorum", {}}, fake_store::fate::not_applied, 1};
  journey again{world};
  REQUIRE_FALSE(again.ask(journey::begin));
  world.clock.run_for(std::chrono::seconds{20});
  CHECK(world.record().state == record_state::settled);
  CHECK(world.config() == config_text(vm));
  again.run(journey::begin, journey::end);
  CHECK(again.evidence().number() == epoch{2});
  again.check_moved();
}

TEST_CASE("a settling that the store refuses goes on when nobody asks any more", "[agent]") {
  for (const bool forward : {false, true}) {
    INFO((forward ? "moved" : "stayed"));
    rig world;
    journey j{world};
    j.run(journey::begin, forward ? journey::settle : journey::stream);
    auto& here = forward ? world.target : world.source;
    here.store.faults["barrier"] = {
      {errc::refused, "no quorum", {}}, fake_store::fate::not_applied, 3};
    CHECK_FALSE(here.ask(wire::settle{{j.evidence()}}));
    world.clock.run_for(std::chrono::minutes{1});
    CHECK(world.record().state == record_state::settled);
    CHECK(world.config() == config_text(vm));
  }
}

TEST_CASE(
  "a settling that is tried again looks at nothing once a newer epoch has begun", "[agent]") {
  rig world;
  journey first{world};
  first.run(journey::begin, journey::stream);
  world.source.store.faults["write_record"] = {
    {errc::retry, "no quorum", {}}, fake_store::fate::not_applied, 2};
  CHECK_FALSE(world.source.ask(wire::settle{{first.evidence()}}));
  world.clock.run_for(std::chrono::seconds{6}); // the look after 5 s has failed too
  journey second{world};
  second.run(journey::begin, journey::stream);
  const auto before = world.cluster.calls.size();
  world.clock.run_for(std::chrono::minutes{1});
  CHECK(world.call("n1", "store.read_record", before) == world.cluster.calls.size());
  second.run(journey::stream, journey::end);
  second.check_moved();
}
