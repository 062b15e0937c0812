// Two agents move one VM: every policy, the pause, the original race, repeated and late commands.
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;

TEST_CASE("every policy moves the VM, and it runs once, at its owner", "[agent]") {
  for (const auto how : all_policies) {
    INFO(to_string(how));
    rig world;
    journey j{world, how};
    j.run(journey::begin, journey::end);
    j.check_moved();
  }
}

TEST_CASE("channels are told and offered as far as each node's QEMU can do them", "[agent]") {
  struct row {
    std::uint32_t source;
    std::uint32_t target;
    std::optional<std::uint32_t> asked;
    std::optional<std::uint32_t> told;
    std::optional<std::uint32_t> offered;
  };
  constexpr auto none = std::nullopt;
  for (const auto& r : std::vector<row>{
         {1, 1, none, none, none},
         {16, 16, none, 16, none},
         {16, 16, 4, 16, 4},
         {16, 2, 4, 16, 2},
         {16, 1, 4, 16, none},
         {16, 16, 0, 16, none},
       }) {
    rig world;
    world.source.machines.channels = r.source;
    world.target.machines.channels = r.target;
    journey j{world};
    j.channels = r.asked;
    j.run(journey::begin, journey::receive);
    CHECK(j.begun()->channels_max == r.told);
    j.run(journey::receive, journey::early_move);
    CHECK(j.offer().channels == r.offered);
    j.run(journey::early_move, journey::end);
    CHECK(world.source.machines.channels_streamed == r.offered.value_or(1));
    j.check_moved();
  }
}

TEST_CASE("begin writes record and lock and tells what the target needs", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::receive);
  CHECK(world.record().state == record_state::moving);
  CHECK(world.record().number == epoch{1});
  CHECK(world.config() == config_text(vm) + "lock: migrate\n");
  CHECK(j.begun()->config == config_text(vm));
  CHECK(j.begun()->facts.cpus == 2);
  CHECK(j.begun()->downtime_limit_ms == 200);
  CHECK_FALSE(j.begun()->was_paused);
}

TEST_CASE("under ticket no store operation begins between the stream's end and RESUME", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::end);
  const auto ended = world.call("n1", "qemu.end completed");
  const auto resumed = world.call("n2", "qemu.RESUME");
  REQUIRE(ended < resumed);
  REQUIRE(resumed < world.cluster.calls.size());
  for (auto i = world.call("n2", "qemu.end completed"); i < resumed; ++i)
    CHECK(world.cluster.calls[i].what.find("store.") == std::string::npos);
  CHECK(world.call("n2", "store.move", ended) > resumed);
  // The run mark stands before the command that it speaks of.
  CHECK(world.call("n2", "marks.save", ended) < world.call("n2", "qemu.resume"));
}

TEST_CASE("check fails while the target's view lags, and ticket does not care", "[agent]") {
  for (const auto how : {policy::check, policy::nocheck, policy::ticket}) {
    INFO(to_string(how));
    rig world;
    journey j{world, how};
    j.run(journey::begin, journey::move);
    world.target.store.lags = true;
    REQUIRE(j.ask(journey::move));
    const auto taken = j.ask(journey::take_over);
    CHECK(taken.has_value() == (how != policy::check));
    if (!taken) {
      CHECK(taken.error().code == errc::conflict);
      CHECK(taken.error().what.find("config not visible here yet") == 0);
      CHECK(world.machines.running(vm) == 0);
    }
  }
}

TEST_CASE("receive waits until the own view shows the record", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::receive);
  world.target.store.lags = true;
  world.target.store.faults["barrier"] = {{errc::refused, "no quorum", {}}};
  const auto refused = j.ask(journey::receive);
  REQUIRE(!refused);
  CHECK(refused.error().what == "no quorum");
  CHECK_FALSE(world.target.machines.machines.contains(vm));
  CHECK(j.ask(journey::receive)); // the barrier is an own write and brings the record
}

TEST_CASE("a machine that would differ is not received, and every difference is named", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::receive);
  auto facts = j.begun()->facts;
  facts.cpus = 1;
  facts.cpu = "host-x86_64-cpu";
  facts.devices.push_back("net1 e1000");
  const auto answer =
    world.target.ask(wire::receive{j.evidence(), j.begun()->config, facts, false});
  REQUIRE(!answer);
  CHECK(answer.error().code == errc::refused);
  CHECK(
    answer.error().context ==
    "cpu qemu64-x86_64-cpu here, host-x86_64-cpu at the source; cpus 2 here, 1 at the source; "
    "device net1 e1000 only at the source");
  CHECK_FALSE(world.target.machines.machines.contains(vm));
}

TEST_CASE("a VM that was paused stays paused", "[agent]") {
  rig world;
  auto& machine = world.source.machines.machines.at(vm);
  machine.state = wire::run_state::paused;
  machine.vcpus_run = false;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  CHECK(j.begun()->was_paused);
  const auto taken = world.target.ask(wire::take_over{{j.evidence()}});
  REQUIRE(taken);
  CHECK(taken->state == wire::run_state::paused);
  CHECK_FALSE(taken->resumed);
  j.run(journey::claim, journey::end);
  CHECK(world.machines.running(vm) == 0);
  const auto listed = world.target.ask(wire::list_vms{});
  REQUIRE(listed);
  REQUIRE(listed->vms.size() == 1);
  CHECK(listed->vms[0].state == wire::run_state::paused);
  // The next node is told the same: a begin that has marked itself asks QEMU in vain.
  const auto next = world.target.ask(wire::begin_handover{vm, n1, policy::ticket, "c:1"});
  REQUIRE(next);
  CHECK(next->was_paused);
}

TEST_CASE("the same id gets one answer while it is in progress and the same one later", "[agent]") {
  rig world;
  const wire::request asked{
    request_id{"same"}, milliseconds{5000}, wire::begin_handover{vm, n2, policy::ticket, "c:1"}};
  world.source.replies.clear();
  world.source.it().request(asked);
  world.source.it().request(asked);
  world.clock.run_for(milliseconds{100});
  REQUIRE(world.source.replies.size() == 1);
  world.source.it().request(asked);
  REQUIRE(world.source.replies.size() == 2);
  CHECK(
    std::get<wire::begun>(*world.source.replies[0].body).evidence ==
    std::get<wire::begun>(*world.source.replies[1].body).evidence);
  CHECK(world.record().number == epoch{1});
}

TEST_CASE("every step can be asked twice", "[agent]") {
  for (const auto how : all_policies) {
    rig world;
    journey j{world, how};
    for (int s = journey::begin; s < journey::end; ++s) {
      INFO(to_string(how) << " step " << s);
      REQUIRE(j.ask(static_cast<journey::step>(s)));
      // A receiving QEMU takes one stream, and one that has begun is not received again.
      CHECK(j.ask(static_cast<journey::step>(s)));
    }
    j.check_moved();
  }
}

TEST_CASE("commands of an old epoch are refused on both sides after the VM came back", "[agent]") {
  rig world;
  journey first{world};
  first.run(journey::begin, journey::end);
  const auto old = first.evidence();
  // Back again, from n2 to n1, under the next epoch.
  const auto begun = world.target.ask(wire::begin_handover{vm, n1, policy::ticket, "c:1"});
  REQUIRE(begun);
  CHECK(begun->evidence.number() == epoch{2});
  const auto offer =
    world.source.ask(wire::receive{begun->evidence, begun->config, begun->facts, false});
  REQUIRE(offer);
  REQUIRE(world.target.ask(wire::stream{
    begun->evidence, offer->host, offer->port, offer->token, 0, 0, offer->boot_id, offer->key}));
  REQUIRE(world.target.ask(wire::await_outcome{{begun->evidence}}));
  REQUIRE(world.source.ask(wire::take_over{{begun->evidence}}));
  REQUIRE(world.source.ask(wire::await_claim{{begun->evidence}}));

  CHECK_FALSE(world.source.ask(wire::release_source{{old}}));
  CHECK_FALSE(
    world.source.ask(wire::continue_source{{old}, wire::voided{old.number(), "boot-n2", epoch{}}}));
  CHECK_FALSE(world.source.ask(wire::cancel_stream{{old}}));
  CHECK_FALSE(world.target.ask(wire::take_over{{old}}));
  CHECK_FALSE(world.target.ask(wire::void_handover{{old}}));
  CHECK_FALSE(world.target.ask(wire::settle{{old}}));
  CHECK(world.machines.running(vm) == 1);
  CHECK(world.runs(world.source));
  CHECK(world.machines.violations.empty());
}

TEST_CASE("an error of the claim does not say that it was not done", "[agent]") {
  for (const auto fate : {fake_store::fate::applied, fake_store::fate::not_applied}) {
    rig world;
    world.target.store.faults["move"] = {{errc::timeout, "the call hangs", {}}, fate, 2};
    journey j{world};
    j.run(journey::begin, journey::end);
    j.check_moved();
  }
}

TEST_CASE("an error of the source's move does not say that it was not done", "[agent]") {
  rig world;
  world.source.store.faults["move"] = {
    {errc::timeout, "the call hangs", {}}, fake_store::fate::applied, 1};
  journey j{world, policy::nocheck};
  j.run(journey::begin, journey::end);
  j.check_moved();
}

TEST_CASE("the claim goes on while the store refuses writes", "[agent]") {
  rig world;
  world.target.store.faults["move"] = {
    {errc::refused, "no quorum", {}}, fake_store::fate::not_applied, 20};
  journey j{world};
  j.run(journey::begin, journey::claim);
  CHECK(world.runs(world.target));
  const auto early = world.target.ask(wire::await_claim{{j.evidence()}}, milliseconds{500});
  REQUIRE(!early);
  CHECK(early.error().code == errc::timeout);
  CHECK_FALSE(j.ask(journey::release)); // nothing is taken away before the target owns
  const auto late = world.target.ask(wire::await_claim{{j.evidence()}}, milliseconds{60'000});
  CHECK(late);
  j.run(journey::release, journey::end);
  j.check_moved();
}

TEST_CASE("what others change in a config while a handover begins is not overwritten", "[agent]") {
  for (const std::string& theirs : {std::string{"tags: new\n"}, std::string{"lock: backup\n"}}) {
    INFO(theirs);
    rig world;
    const auto id = world.source.send(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
    REQUIRE(world.clock.run_until(
      [&] { return world.record().number == epoch{1}; }, std::chrono::seconds{1}));
    const auto changed = config_text(vm) + theirs;
    REQUIRE(world.cluster.append([&](auto& all) -> result<done> {
      all.configs.at(vm).second = changed;
      return done{};
    }));
    REQUIRE(world.clock.run_until(
      [&] { return world.source.reply_to(id) != nullptr; }, std::chrono::seconds{1}));
    REQUIRE_FALSE(world.source.reply_to(id)->body);
    CHECK(world.source.reply_to(id)->body.error().code == errc::retry);
    CHECK(world.config() == changed);
    CHECK(world.record().state == record_state::settled);
    const auto again = world.source.ask(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
    const bool locked = theirs.starts_with("lock");
    CHECK(again.has_value() != locked);
    if (locked)
      CHECK(to_string(again.error()) == "VM 105 is locked (backup)");
  }
}

TEST_CASE("begin is undone when the lock cannot be written", "[agent]") {
  rig world;
  world.source.store.faults["write_config"] = {
    {errc::refused, "no quorum", {}}, fake_store::fate::not_applied, 1};
  journey j{world};
  CHECK_FALSE(j.ask(journey::begin));
  CHECK(world.record().state == record_state::settled);
  CHECK(world.config() == config_text(vm));
  j.run(journey::begin, journey::end);
  CHECK(j.evidence().number() == epoch{2});
  j.check_moved();
}

TEST_CASE("a begin that could neither be finished nor undone is settled later", "[agent]") {
  for (const bool restarted : {false, true})
    for (const auto fate : {fake_store::fate::not_applied, fake_store::fate::applied}) {
      INFO((restarted ? "restarted " : "") << (fate == fake_store::fate::applied));
      rig world;
      const error no_quorum{errc::refused, "no quorum", {}};
      const auto id = world.source.send(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
      REQUIRE(world.clock.run_until(
        [&] { return world.record().number == epoch{1}; }, std::chrono::seconds{1}));
      world.source.store.faults["write_config"] = {no_quorum, fate, 1};
      world.source.store.faults["write_record"] = {no_quorum, fake_store::fate::not_applied, 3};
      REQUIRE(world.clock.run_until(
        [&] { return world.source.reply_to(id) != nullptr; }, std::chrono::seconds{1}));
      CHECK_FALSE(world.source.reply_to(id)->body);
      REQUIRE(world.record().state == record_state::moving);
      if (restarted) {
        world.source.restart();
        world.source.greet();
      }
      world.clock.run_for(std::chrono::seconds{30});
      CHECK(world.record().state == record_state::settled);
      CHECK(world.config() == config_text(vm));
      journey j{world};
      j.run(journey::begin, journey::end);
      CHECK(j.evidence().number() == epoch{2});
      j.check_moved();
    }
}

TEST_CASE("a begin that was given up is not gone on with", "[agent]") {
  rig world;
  const error no_quorum{errc::refused, "no quorum", {}};
  world.source.store.faults["write_config"] = {no_quorum, fake_store::fate::applied, 1};
  const auto id = world.source.send(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
  REQUIRE(world.clock.run_until(
    [&] { return world.config() != config_text(vm); }, std::chrono::seconds{1}));
  for (const auto* write : {"write_config", "write_record"})
    world.source.store.faults[write] = {no_quorum, fake_store::fate::not_applied, 1};
  world.clock.run_for(milliseconds{100});
  REQUIRE(world.source.reply_to(id));
  const auto again = world.source.ask(wire::begin_handover{vm, n2, policy::ticket, "c:1"});
  REQUIRE_FALSE(again);
  CHECK(to_string(again.error()) == "an earlier begin is being undone (105)");
  world.clock.run_for(std::chrono::seconds{10});
  journey j{world};
  j.run(journey::begin, journey::end);
  CHECK(j.evidence().number() == epoch{2});
  j.check_moved();
}

TEST_CASE("begin names what forbids it", "[agent]") {
  rig world;
  const auto begin = [&](const node_id& to, const std::string& who) {
    const auto answer = world.source.ask(wire::begin_handover{vm, to, policy::ticket, who});
    REQUIRE(!answer);
    return to_string(answer.error());
  };
  CHECK(begin(n1, "c:1").find("source and target are the same node") == 0);
  world.source.machines.blocked[vm] = {"hostpci0 ties it to its host"};
  CHECK(begin(n2, "c:1") == "VM 105 cannot move (hostpci0 ties it to its host)");
  world.source.machines.blocked.clear();
  CHECK_FALSE(world.target.ask(wire::begin_handover{vm, n1, policy::ticket, "c:1"}));
  REQUIRE(world.source.ask(wire::begin_handover{vm, n2, policy::ticket, "c:1"}));
  CHECK(begin(n2, "c:2") == "VM 105 is locked (migrate) (epoch 1 to n2 by c:1)");
  world.source.machines.crash(vm);
  world.cluster.latest.configs.at(vm).second = config_text(vm);
}

TEST_CASE("a begin that ended between record and lock is overtaken by the next epoch", "[agent]") {
  rig world;
  handover_record stale;
  stale.vm = vm;
  stale.number = epoch{7};
  stale.state = record_state::moving;
  stale.source = n1;
  stale.target = n2;
  stale.controller = "c:1";
  world.source.store.write_record(stale, [](auto) {});
  world.clock.run_for(milliseconds{1});
  journey j{world};
  j.run(journey::begin, journey::end);
  CHECK(j.evidence().number() == epoch{8});
  j.check_moved();
}
