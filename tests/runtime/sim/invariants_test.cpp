// The checkers are shown broken worlds: each must cry out, and stay silent in a whole one.
#include "runtime/sim/invariants.hpp"

#include <catch2/catch.hpp>

using namespace drover;

namespace {

const vm_id vm{100};
const node_id n1{"n1"};
const node_id n2{"n2"};
const std::string config = "name: a\nmemory: 64\ncores: 1\nscsi0: none\n";

struct broken_world {
  broken_world() {
    for (const auto& node : {n1, n2}) {
      cluster_node of;
      of.node = node;
      cluster.nodes.emplace(node, of);
    }
    machines.on_change = [this](const machine_changed& e) { watch.on_change(e); };
    store.put_config(vm, n1, config);
    machines.put_machine(n1, vm, config, wire::run_state::running);
    watch.expect_vm(vm, n1, false);
  }

  template <class Call>
  void wait(Call call) {
    bool answered = false;
    call([&](const auto&) { answered = true; });
    while (!answered && queue.step()) {
    }
    REQUIRE(answered);
  }

  bool has(std::uint32_t invariant) const {
    for (const auto& v : watch.found())
      if (v.invariant == invariant)
        return true;
    return false;
  }

  event_queue queue;
  cluster_file cluster;
  sim_store_cluster store{queue, luck{1}, {}, {n1, n2}};
  sim_machines machines{queue, luck{2}, {}};
  invariants watch{{queue, store, machines, cluster}};
};

} // namespace

TEST_CASE("a world at rest violates nothing", "[sim]") {
  broken_world world;
  CHECK(world.watch.is_settled());
  world.watch.check_at_the_end({});
  CHECK(world.watch.found().empty());
}

TEST_CASE("two running copies violate invariant 1", "[sim]") {
  broken_world world;
  auto driver = world.machines.open(n2);
  world.wait([&](auto answer) { driver->start(vm, config, answer); });
  CHECK(world.has(1));
}

TEST_CASE("a source that is freed without a running target violates 3 and 5", "[sim]") {
  broken_world world;
  auto driver = world.machines.open(n1);
  driver->attach([](const auto&) {});
  while (world.queue.step()) {
  }
  world.wait([&](auto answer) { driver->kill(vm, answer); });
  CHECK(world.has(3));
  CHECK(world.has(5));
}

TEST_CASE("what a fault kills is no violation", "[sim]") {
  broken_world world;
  world.watch.before_kill(vm, n1);
  world.machines.kill(n1, vm);
  while (world.queue.step()) {
  }
  CHECK(world.watch.found().empty());
  CHECK(world.watch.lost_to_faults().contains(vm));
}

TEST_CASE("a runner that does not own, and a lock that stays, violate invariant 2", "[sim]") {
  SECTION("owner") {
    broken_world world;
    auto view = world.store.open(n1, {});
    world.wait([&](auto answer) { view->move_config(vm, n1, n2, answer); });
    world.watch.expect_move(vm);
    CHECK_FALSE(world.watch.is_settled());
    world.watch.check_at_the_end({});
    CHECK(world.has(2));
  }
  SECTION("lock") {
    broken_world world;
    auto view = world.store.open(n1, {});
    world.wait([&](auto answer) {
      view->write_config(vm, n1, {config, config + "lock: migrate\n"}, answer);
    });
    world.watch.check_at_the_end({});
    CHECK(world.has(2));
    CHECK(world.has(7)); // Nobody asked for this VM.
  }
  SECTION("not when it was reported") {
    broken_world world;
    auto view = world.store.open(n1, {});
    world.wait([&](auto answer) { view->move_config(vm, n1, n2, answer); });
    world.watch.expect_move(vm);
    world.watch.check_at_the_end({{vm, "owner unknown"}});
    CHECK_FALSE(world.has(2));
  }
}

TEST_CASE("leaked permits and disturbed pauses are violations", "[sim]") {
  broken_world world;
  world.watch.permits_leaked(1);
  world.watch.pause_disturbed(vm, "move at n2");
  CHECK(world.has(4));
  CHECK(world.has(6));
}

TEST_CASE("more streams than permits violate invariant 4", "[sim]") {
  broken_world world;
  world.cluster.limits.windows = 1;
  for (std::uint32_t i = 0; i < 2; ++i)
    world.watch.take(
      {event_queue::beginning, phase_changed{vm_id{100 + i}, epoch{1}, "queued", "streaming"}});
  CHECK(world.has(4));
}

TEST_CASE("a stream that is over counts no more", "[sim]") {
  const auto phase = [](vm_id which, const char* from, const char* to) {
    return trace_event{event_queue::beginning, phase_changed{which, epoch{1}, from, to}};
  };
  broken_world world;
  world.cluster.limits.windows = 1;
  world.watch.take(phase(vm_id{100}, "queued", "streaming"));
  world.watch.take(phase(vm_id{100}, "streaming", "taking_over"));
  world.watch.take(phase(vm_id{100}, "taking_over", "cleaning"));
  world.watch.take(phase(vm_id{101}, "queued", "streaming"));
  migration_ended ended;
  ended.vm = vm_id{101};
  world.watch.take({event_queue::beginning, ended});
  world.watch.take(phase(vm_id{102}, "queued", "streaming"));
  world.watch.controller_restarted();
  world.watch.take(phase(vm_id{103}, "queued", "streaming"));
  CHECK_FALSE(world.has(4));
  world.watch.take(phase(vm_id{104}, "queued", "streaming"));
  CHECK(world.has(4));
}
