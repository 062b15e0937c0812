// A new controller's agents finish what an older controller left, and two controllers that hold one
// node each cannot make a VM run twice.
#include "tests/runtime/agent/agent_rig.hpp"

#include <set>

using namespace drover;
using namespace drover::test;

TEST_CASE("a new controller finishes whatever an older one left, in any phase", "[agent]") {
  for (const auto how : all_policies)
    for (int after = journey::begin; after <= journey::end; ++after)
      for (const bool source_first : {true, false}) {
        INFO(to_string(how) << " left before step " << after);
        rig world;
        journey j{world, how};
        j.run(journey::begin, static_cast<journey::step>(after));
        world.source.die();
        world.target.die();
        world.clock.run_for(std::chrono::seconds{100});
        seat(source_first ? world.source : world.target, "c:2");
        world.clock.run_for(std::chrono::seconds{3});
        seat(source_first ? world.target : world.source, "c:2");
        world.clock.run_for(std::chrono::seconds{5});
        check_finished(world);
      }
}

TEST_CASE("a begin waits while an older handover is being finished, then goes on", "[agent]") {
  rig world;
  journey old{world};
  old.run(journey::begin, journey::source_end);
  world.source.die();
  world.target.die();
  world.clock.run_for(milliseconds{100}); // both QEMUs have completed
  seat(world.source, "c:2");
  const auto early = world.source.ask(wire::begin_handover{vm, n2, policy::ticket, "c:2"});
  REQUIRE(!early);
  CHECK(early.error().code == errc::retry);
  CHECK(early.error().what == "the handover of VM 105 by c:1 is being finished");
  CHECK(world.source.ask(wire::stop_vm{vm}).error().code == errc::retry);
  seat(world.target, "c:2");
  world.clock.run_for(std::chrono::seconds{5});
  check_finished(world);
  CHECK(world.runs(world.target));
  const auto back = world.target.ask(wire::begin_handover{vm, n1, policy::ticket, "c:2"});
  REQUIRE(back);
  CHECK(back->evidence.number() == epoch{2});
}

TEST_CASE(
  "a stream that an older controller left is cancelled, and the VM can move again", "[agent]") {
  rig world;
  journey old{world};
  old.run(journey::begin, journey::source_end);
  world.source.controller = "c:2";
  world.source.restart();
  // The greeting and the first request come at once: the request waits for the survey.
  (void)world.source.send(wire::hello{wire::protocol_version, "c:2"});
  const auto first = world.source.ask(wire::begin_handover{vm, n2, policy::ticket, "c:2"});
  REQUIRE(!first);
  CHECK(first.error().code == errc::retry);
  seat(world.target, "c:2");
  world.clock.run_for(std::chrono::seconds{2});
  CHECK(world.runs(world.source));
  journey j{world, policy::ticket, "c:2"};
  j.run(journey::begin, journey::end);
  CHECK(j.evidence().number() == epoch{2});
  j.check_moved();
}

TEST_CASE("a begin that an older controller left between record and lock is settled", "[agent]") {
  rig world;
  handover_record stale;
  stale.vm = vm;
  stale.number = epoch{7};
  stale.state = record_state::moving;
  stale.source = n1;
  stale.target = n2;
  stale.controller = "dead:1";
  world.source.store.write_record(stale, [](auto) {});
  world.clock.run_for(milliseconds{1});
  seat(world.source, "c:2");
  world.clock.run_for(std::chrono::seconds{1});
  check_finished(world);
  CHECK(world.record().number == epoch{7});
}

TEST_CASE("a controller goes on with its own handovers itself", "[agent]") {
  for (int after = journey::receive; after < journey::end; ++after) {
    INFO("before step " << after);
    rig world;
    journey j{world};
    j.run(journey::begin, static_cast<journey::step>(after));
    seat(world.source, "c:1");
    seat(world.target, "c:1");
    world.clock.run_for(std::chrono::seconds{2});
    j.run(static_cast<journey::step>(after), journey::end);
    j.check_moved();
  }
}

TEST_CASE("one that only observes finishes nothing", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.source.die();
  world.target.die();
  world.source.access = world.target.access = agent_access::observe;
  const auto before = world.cluster.log.size();
  seat(world.source, "c:2");
  seat(world.target, "c:2");
  world.clock.run_for(std::chrono::seconds{10});
  CHECK(world.cluster.log.size() == before);
  CHECK(world.machines.running(vm) == 0);
}

TEST_CASE("a receiving QEMU of an epoch that is over is ended", "[agent]") {
  for (const bool settled : {true, false}) {
    rig world;
    journey j{world};
    j.run(journey::begin, journey::stream);
    world.target.die();
    handover_record next = world.record();
    if (settled) {
      next.state = record_state::settled;
      next.outcome = source_outcome::kept;
    } else {
      next.number = epoch{2};
      next.target = node_id{"n3"};
    }
    world.source.store.write_record(next, [](auto) {});
    world.clock.run_for(milliseconds{1});
    REQUIRE(world.target.machines.machines.contains(vm));
    seat(world.target, "c:2");
    world.clock.run_for(std::chrono::seconds{1});
    CHECK_FALSE(world.target.machines.machines.contains(vm));
    CHECK_FALSE(j.ask(journey::take_over));
  }
}

TEST_CASE("that the target owns does not let an orphaned source go: it has to run", "[agent]") {
  for (const auto how : all_policies) {
    if (target_moves_config(how))
      continue;
    INFO(to_string(how));
    rig world;
    journey j{world, how};
    j.run(journey::begin, journey::take_over);
    REQUIRE(world.owner() == n2);
    world.source.it().controller_gone();
    world.clock.run_for(std::chrono::seconds{5});
    REQUIRE(world.source.machines.machines.contains(vm));
    // The target's controller gives up; the source is still there to go on.
    const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
    REQUIRE(proof);
    world.clock.run_for(std::chrono::seconds{1});
    seat(world.source, "c:1");
    REQUIRE(world.source.ask(wire::continue_source{j.evidence(), *proof}));
    REQUIRE(world.source.ask(wire::settle{{j.evidence()}}));
    world.clock.run_for(std::chrono::seconds{2});
    check_finished(world);
    CHECK(world.runs(world.source));
  }
}

TEST_CASE("an orphaned source goes once the living controller has settled the target", "[agent]") {
  for (const auto how : all_policies)
    for (const auto gone : {journey::take_over, journey::claim, journey::settle}) {
      INFO(to_string(how) << " source orphaned before step " << gone);
      rig world;
      journey j{world, how};
      j.run(journey::begin, gone == journey::settle ? journey::release : gone);
      world.source.it().controller_gone();
      world.clock.run_for(std::chrono::seconds{1});
      CHECK(world.source.machines.machines.contains(vm));
      for (const auto s : {journey::take_over, journey::claim, journey::settle})
        if (s >= gone)
          REQUIRE(j.ask(s));
      CHECK(world.clock.run_until([&] { return world.source.finished; }, std::chrono::seconds{5}));
      check_finished(world);
    }
}

TEST_CASE("a target without controller runs only on the source's published word", "[agent]") {
  for (const auto how : all_policies) {
    INFO(to_string(how));
    rig world;
    journey j{world, how};
    j.run(journey::begin, journey::take_over);
    world.target.it().controller_gone();
    world.clock.run_for(std::chrono::seconds{20});
    CHECK(world.machines.running(vm) == 0);
    CHECK(world.record().outcome == source_outcome::unpublished);
    world.source.it().controller_gone();
    CHECK(world.clock.run_until(
      [&] { return world.source.finished && world.target.finished; }, std::chrono::seconds{10}));
    check_finished(world);
    CHECK(world.runs(world.target));
  }
}

namespace {

/// Numbers from a seed; the same everywhere.
class dice {
public:
  explicit dice(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t below(std::uint64_t bound) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state_ >> 33U) % bound;
  }

private:
  std::uint64_t state_;
};

/// Two controllers that each believe in their own handover, and hold the nodes by turns.
class contest {
public:
  explicit contest(std::uint64_t seed) : luck_(seed) {
    for (auto* node : {&world.source, &world.target})
      node->controller = "c:1";
  }

  void play(int moves) {
    for (int i = 0; i < moves; ++i) {
      move();
      world.clock.run_for(
        std::chrono::microseconds{luck_.below(3) == 0 ? luck_.below(30'000) : 40});
      REQUIRE(world.machines.violations.empty());
      for (const auto& [node, one] : world.machines.nodes)
        copies_ += one->machines.contains(vm) ? 1 : 0;
      REQUIRE(copies_ > 0);
      copies_ = 0;
    }
  }

  rig world;

private:
  node_rig& node() { return luck_.below(2) == 0 ? world.source : world.target; }

  void move() {
    const auto what = luck_.below(12);
    if (what == 0)
      return seat(node(), luck_.below(2) == 0 ? "c:1" : "c:2");
    if (what == 1) {
      auto& one = node();
      one.it().controller_gone();
      world.clock.run_for(milliseconds{luck_.below(200)});
      return seat(one, luck_.below(2) == 0 ? "c:1" : "c:2");
    }
    if (what == 2)
      return begin();
    if (!evidence_.empty())
      ask(evidence_[luck_.below(evidence_.size())]);
  }

  void begin() {
    auto& one = node();
    const auto to = &one == &world.source ? n2 : n1;
    const auto begun = one.ask(wire::begin_handover{
      vm, to, all_policies.at(luck_.below(all_policies.size())), one.controller});
    if (!begun)
      return;
    evidence_.push_back(begun->evidence);
    auto& other = &one == &world.source ? world.target : world.source;
    const auto offer =
      other.ask(wire::receive{begun->evidence, begun->config, begun->facts, begun->was_paused});
    if (!offer)
      return;
    const bool early = begun->evidence.how() == policy::early;
    if (
      early && (!one.ask(wire::move_config{{begun->evidence}}) ||
                !other.ask(wire::await_claim{{begun->evidence}})))
      return;
    (void)one.send(wire::stream{
      begun->evidence, offer->host, offer->port, offer->token, 0, 100, offer->boot_id, offer->key});
  }

  /// Any command of any of their handovers, late, repeated or in time. A controller is told the
  /// truth and keeps its rules: take_over after both outcomes, continue on a proof that it was
  /// given, the rest after the claim.
  void ask(const ticket& t) {
    auto& s = t.source() == n1 ? world.source : world.target;
    auto& d = t.source() == n1 ? world.target : world.source;
    switch (luck_.below(9)) {
    case 0:
      return (void)s.send(wire::cancel_stream{{t}});
    case 1:
      if (completed(s, t) && completed(d, t))
        completed_.insert(t.number());
      return;
    case 2:
      if (completed_.contains(t.number()))
        (void)s.send(wire::move_config{{t}});
      return;
    case 3:
    case 4:
      if (completed_.contains(t.number()) && d.ask(wire::take_over{{t}}))
        taken_over_.insert(t.number());
      return;
    case 5:
      if (taken_over_.contains(t.number()) && d.ask(wire::await_claim{{t}}))
        claimed_.insert(t.number());
      return;
    case 6:
      if (const auto proof = d.ask(wire::void_handover{{t}}))
        (void)s.send(wire::continue_source{t, *proof});
      return;
    case 7:
      if (claimed_.contains(t.number()))
        (void)s.send(wire::release_source{{t}});
      return;
    default:
      return (void)(luck_.below(2) == 0 ? s : d).send(wire::settle{{t}});
    }
  }

  bool completed(node_rig& node, const ticket& t) {
    const auto end = node.ask(wire::await_outcome{{t}}, milliseconds{40});
    return end && end->end == wire::stream_end::completed;
  }

  dice luck_;
  std::vector<ticket> evidence_;
  std::set<epoch> completed_;
  std::set<epoch> taken_over_;
  std::set<epoch> claimed_;
  int copies_ = 0;
};

} // namespace

TEST_CASE("two controllers and their agents never make a VM run twice or lose it", "[agent]") {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    INFO("seed " << seed);
    contest c{seed};
    c.play(60);
    seat(c.world.source, "c:9");
    seat(c.world.target, "c:9");
    c.world.clock.run_for(std::chrono::seconds{30});
    check_finished(c.world);
  }
}

TEST_CASE("a source that nobody told of its target's void is told through the record", "[agent]") {
  for (const auto how : all_policies)
    for (const bool crashed : {false, true}) {
      INFO(to_string(how) << (crashed ? " crashed" : " made void"));
      rig world;
      journey j{world, how};
      j.run(journey::begin, journey::take_over);
      if (crashed)
        world.target.machines.crash(vm);
      else
        REQUIRE(world.target.ask(wire::void_handover{{j.evidence()}}));
      world.both_lose_the_controller();
      CHECK(world.clock.run_until(
        [&] { return world.source.finished && world.target.finished; }, std::chrono::seconds{5}));
      check_finished(world);
      CHECK(world.runs(world.source));
      CHECK(world.record().outcome == source_outcome::kept);
    }
}

TEST_CASE("a node that has rebooted proves nothing, and its source stays where it is", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::claim); // it ran
  world.target.die();
  world.target.machines.crash(vm);
  world.target.marks.all.clear();
  world.target.restart();
  world.target.greet();
  const auto proof = world.target.ask(wire::void_handover{{j.evidence()}});
  REQUIRE(proof);
  CHECK_FALSE(world.source.ask(wire::continue_source{j.evidence(), *proof}));
  world.both_lose_the_controller();
  world.clock.run_for(std::chrono::minutes{2});
  CHECK(world.machines.running(vm) == 0);
  CHECK(world.source.machines.machines.at(vm).state == wire::run_state::postmigrate);
}
