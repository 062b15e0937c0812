// The node as a whole: hello, the list, start and stop, the cordon, the trace.
#include "runtime/wire/features.hpp"
#include "tests/runtime/agent/agent_rig.hpp"

using namespace drover;
using namespace drover::test;

TEST_CASE("nothing is served before hello, and hello insists on the protocol", "[agent]") {
  rig world;
  world.source.restart();
  const auto early = world.source.ask(wire::ping{});
  REQUIRE(!early);
  CHECK(early.error().what == "the first request must be hello");
  const auto wrong = world.source.ask(wire::hello{7, "c:1"});
  REQUIRE(!wrong);
  CHECK(
    wrong.error().what == "protocol 7.0 was asked for, this agent speaks protocol " +
                            wire::version_text(wire::protocol_version, wire::protocol_minor) +
                            "; install the same version of drover here and there");
  const auto right = world.source.ask(wire::hello{wire::protocol_version, "c:1"});
  REQUIRE(right);
  CHECK(right->node == n1);
  CHECK(right->boot_id == "boot-n1");
  CHECK(right->hypervisor == "fake 1");
  CHECK(world.source.ask(wire::ping{}));
}

TEST_CASE("the list tells a QEMU that cannot encrypt, and nothing where it can", "[agent]") {
  rig world;
  CHECK_FALSE(world.source.ask(wire::list_vms{})->encryption_objection);
  world.source.machines.encryption_fault = "its QEMU cannot";
  CHECK(world.source.ask(wire::list_vms{})->encryption_objection == "its QEMU cannot");
}

TEST_CASE("the list shows own configs and QEMUs, with why they cannot move", "[agent]") {
  rig world;
  world.source.store.create_config(
    vm_id{106}, n1, "name: vm106\nlock: backup\ntags: a;b\nonboot: 1\n", [](auto) {});
  world.source.store.create_config(vm_id{107}, n2, "name: vm107\n", [](auto) {});
  world.source.machines.put(vm_id{108}, "name: vm108\n");
  world.source.machines.blocked[vm_id{106}] = {"usb0 ties it to its host"};
  const auto list = world.source.ask(wire::list_vms{});
  REQUIRE(list);
  REQUIRE(list->vms.size() == 3);
  CHECK(list->vms[0].vm == vm);
  CHECK(list->vms[0].state == wire::run_state::running);
  CHECK(list->vms[0].blockers.empty());
  CHECK(list->vms[1].vm == vm_id{106});
  CHECK(list->vms[1].state == wire::run_state::absent);
  CHECK(list->vms[1].lock == "backup");
  CHECK(list->vms[1].tags == std::vector<std::string>{"a", "b"});
  CHECK(list->vms[1].onboot);
  CHECK(list->vms[1].blockers == std::vector<std::string>{"usb0 ties it to its host"});
  CHECK(list->vms[2].vm == vm_id{108});
  CHECK_FALSE(list->vms[2].config_here);
  CHECK(list->vms[2].name == "vm108");
}

TEST_CASE("only the owner starts and stops, and not what is locked or runs", "[agent]") {
  rig world;
  CHECK_FALSE(world.target.ask(wire::start_vm{vm}));
  CHECK_FALSE(world.target.ask(wire::stop_vm{vm}));
  CHECK_FALSE(world.source.ask(wire::start_vm{vm}));
  REQUIRE(world.source.ask(wire::stop_vm{vm}));
  CHECK(world.machines.running(vm) == 0);
  REQUIRE(world.source.ask(wire::start_vm{vm}));
  journey j{world};
  j.run(journey::begin, journey::receive);
  const auto locked = world.source.ask(wire::stop_vm{vm});
  REQUIRE(!locked);
  CHECK(locked.error().what == "VM 105 is locked (migrate)");
}

TEST_CASE("start does not trust a view that lags", "[agent]") {
  rig world;
  world.source.machines.crash(vm);
  world.source.store.lags = true;
  world.target.store.move_config(vm, n1, n2, [](auto) {});
  world.clock.run_for(milliseconds{1});
  const auto refused = world.source.ask(wire::start_vm{vm});
  REQUIRE(!refused);
  CHECK(refused.error().what == "it belongs to n2, not to n1");
  CHECK(world.machines.running(vm) == 0);
}

TEST_CASE("a cordoned node takes no VM", "[agent]") {
  rig world;
  REQUIRE(world.target.ask(wire::cordon{"evacuate"}));
  CHECK(world.target.ask(wire::list_vms{})->cordon == "c:1 evacuate");
  journey j{world};
  j.run(journey::begin, journey::receive);
  const auto refused = j.ask(journey::receive);
  REQUIRE(!refused);
  CHECK(to_string(refused.error()) == "n2 is cordoned (c:1 evacuate)");
  // The lock in the store outlives the agent that took it.
  world.target.restart();
  world.target.greet();
  CHECK_FALSE(j.ask(journey::receive));
  REQUIRE(world.target.ask(wire::uncordon{}));
  j.run(journey::receive, journey::end);
  j.check_moved();
}

TEST_CASE("a cordon is renewed while the agent lives and dropped when it ends", "[agent]") {
  rig world;
  REQUIRE(world.target.ask(wire::cordon{""}));
  const auto before = world.cluster.calls.size();
  world.clock.run_for(std::chrono::seconds{95});
  int renewed = 0;
  for (auto i = before; i < world.cluster.calls.size(); ++i)
    renewed += world.cluster.calls[i].what == "store.take_lock" ? 1 : 0;
  CHECK(renewed == 3);
  world.target.it().controller_gone();
  world.clock.run_for(milliseconds{100});
  CHECK(world.target.finished);
  CHECK(world.cluster.latest.locks.empty());
}

TEST_CASE("a cordon that a killed agent has left goes with the next controller", "[agent]") {
  rig world;
  REQUIRE(world.target.ask(wire::cordon{"first"}));
  world.target.restart();
  world.target.controller = "d:2";
  world.target.greet();
  REQUIRE(world.target.ask(wire::cordon{"second"}));
  CHECK(world.target.ask(wire::list_vms{})->cordon == "d:2 second");
}

TEST_CASE("a cordon that somebody else has taken meanwhile is named and not dropped", "[agent]") {
  rig world;
  REQUIRE(world.target.ask(wire::cordon{"first"}));
  world.cluster.latest.locks.begin()->second = "d:2 second";
  const auto dropped = world.target.ask(wire::uncordon{});
  REQUIRE(!dropped);
  CHECK(dropped.error().code == errc::conflict);
}

TEST_CASE("an agent that observes changes nothing", "[agent]") {
  rig world;
  world.target.access = agent_access::observe;
  world.target.restart();
  world.target.greet();
  CHECK(world.target.ask(wire::list_vms{}));
  CHECK(world.target.ask(wire::ping{}));
  const auto refused = world.target.ask(wire::start_vm{vm});
  REQUIRE(!refused);
  CHECK(refused.error().what == "this agent only observes");
}

TEST_CASE("store operations are reported when the node is idle, never inside a pause", "[agent]") {
  rig world;
  journey j{world};
  j.run(journey::begin, journey::take_over);
  world.target.notices.clear();
  store_operation operation;
  operation.operation = "read_record";
  world.target.it().store_operated(operation);
  world.clock.run_for(milliseconds{900});
  CHECK(world.target.notices.empty());
  REQUIRE(j.ask(journey::take_over));
  CHECK(world.target.notices.empty());
  world.clock.run_for(milliseconds{300});
  REQUIRE(world.target.notices.size() == 1);
  const auto& batch = std::get<wire::node_trace>(world.target.notices[0]);
  REQUIRE(batch.operations.size() == 1);
  CHECK(batch.operations[0].node == n2);
}

TEST_CASE("busy with requests, the trace goes out after a quarter of a second", "[agent]") {
  rig world;
  world.target.it().store_operated({});
  const auto begin = world.clock.now();
  while (world.target.notices.empty() && world.clock.now() - begin < std::chrono::seconds{2})
    REQUIRE((world.target.ask(wire::ping{}), world.clock.run_for(milliseconds{5}), true));
  CHECK(world.clock.now() - begin >= milliseconds{250});
  CHECK(world.clock.now() - begin < milliseconds{300});
}
