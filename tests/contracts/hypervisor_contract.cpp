#include "tests/contracts/hypervisor_contract.hpp"

#include "tests/contracts/hypervisor_calls.hpp"

namespace drover::contracts {

using wire::run_state;

void check_hypervisor_contract(const hypervisor_rig_maker& make) {
  SECTION("machines") { check_machines(make); }
  SECTION("receiving") { check_receiving(make); }
  SECTION("moves") { check_moves(make); }
  SECTION("doors") { check_doors(make); }
  SECTION("broken streams") { check_broken_streams(make); }
  SECTION("stream settings") { check_stream_settings(make); }
  SECTION("restarts") { check_restarts(make); }
}

void check_machines(const hypervisor_rig_maker& make) {
  hypervisor_calls node(make());
  const auto config = node.rig().small_config();

  SECTION("a started VM runs, is listed, tells its facts, and is gone after quit") {
    const auto started = node.start(side::source, config);
    REQUIRE(code_of(started) == "ok");
    CHECK(*started == machine_status{node.vm, run_state::running, epoch{}});
    CHECK(node.at(side::source).list() == std::vector{*started});
    CHECK(node.at(side::target).list().empty());
    const auto facts = node.facts(side::source);
    REQUIRE(code_of(facts) == "ok");
    CHECK(facts->cpus == 1);
    CHECK_FALSE(facts->machine.empty());
    CHECK_FALSE(facts->cpu.empty());
    CHECK(facts->memory_bytes > 0);
    CHECK(node.at(side::source).planned_facts(node.vm) == *facts);
    CHECK(code_of(node.at(side::source).started_config(node.vm)) == "ok");
    CHECK(code_of(node.quit(side::source)) == "ok");
    CHECK_FALSE(node.at(side::source).find(node.vm));
    CHECK(node.heard(side::source).has("exit"));
  }
  SECTION("a VM that runs is not started again") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    CHECK(code_of(node.start(side::source, config)) == "conflict");
    CHECK(node.state(side::source) == run_state::running);
  }
  SECTION("what was started with the same config has the same facts on both nodes") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    REQUIRE(code_of(node.start(side::target, config)) == "ok");
    CHECK(*node.facts(side::source) == *node.facts(side::target));
  }
  SECTION("another CPU model shows in the facts") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    REQUIRE(code_of(node.start(side::target, node.rig().other_cpu_config())) == "ok");
    CHECK(node.facts(side::source)->cpu != node.facts(side::target)->cpu);
  }
  SECTION("a config that cannot be started is an error that says why, and leaves nothing") {
    const auto failed = node.start(side::source, node.rig().broken_config());
    REQUIRE(code_of(failed) == "refused");
    CHECK_THAT(failed.error().what, Catch::Contains(node.rig().broken_word()));
    node.wait_for("it is off the list", [&] { return node.at(side::source).list().empty(); });
    CHECK_FALSE(node.heard(side::source).has("exit"));
    CHECK(code_of(node.start(side::source, config)) == "ok");
  }
  SECTION("a config that cannot be read is invalid") {
    CHECK(code_of(node.start(side::source, "cores: many\n")) == "invalid");
    CHECK_FALSE(node.at(side::source).blockers("cores: many\n").empty());
    CHECK(node.at(side::source).blockers(config).empty());
  }
  SECTION("a VM that is not there is quit and killed with success, and does nothing else") {
    CHECK(code_of(node.quit(side::source)) == "ok");
    CHECK(code_of(node.kill(side::source)) == "ok");
    CHECK(code_of(node.facts(side::source)) == "conflict");
    CHECK(code_of(node.resume(side::source)) == "conflict");
    CHECK(code_of(node.cancel(7)) == "conflict");
    CHECK(code_of(node.at(side::source).started_config(node.vm)) == "conflict");
  }
  SECTION("a process that dies by itself is told, and the VM can start again") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    node.rig().crash(side::source, node.vm);
    node.wait_heard(side::source, "exit");
    CHECK_FALSE(node.at(side::source).find(node.vm));
    CHECK(code_of(node.start(side::source, config)) == "ok");
  }
  SECTION("resume of a VM that runs is a success") {
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    CHECK(code_of(node.resume(side::source)) == "ok");
  }
}

void check_receiving(const hypervisor_rig_maker& make) {
  hypervisor_calls node(make());
  const auto config = node.rig().small_config();

  SECTION("asked twice under the same number, there is one receiver") {
    const auto first = node.receive(7, config);
    REQUIRE(code_of(first) == "ok");
    CHECK(*first == machine_status{node.vm, run_state::incoming, epoch{7}});
    const auto second = node.receive(7, config);
    REQUIRE(code_of(second) == "ok");
    CHECK(*second == *first);
    CHECK(node.at(side::target).list().size() == 1);
  }
  SECTION("asked again while it starts, both get the answer") {
    std::optional<result<machine_status>> early;
    node.at(side::target)
      .receive(
        node.vm, epoch{7}, config, [&](const result<machine_status>& given) { early = given; });
    CHECK(code_of(node.receive(7, config)) == "ok");
    REQUIRE(early);
    CHECK(code_of(*early) == "ok");
  }
  SECTION("another number is a conflict, and so is a receiver where the VM runs") {
    REQUIRE(code_of(node.receive(7, config)) == "ok");
    CHECK(code_of(node.receive(8, config)) == "conflict");
    REQUIRE(code_of(node.start(side::source, config)) == "ok");
    CHECK(code_of(node.ask<machine_status>([&](auto reply) {
            node.at(side::source).receive(node.vm, epoch{7}, config, reply);
          })) == "conflict");
  }
  SECTION("a receiver without its stream does not run, whoever asks") {
    REQUIRE(code_of(node.receive(7, config)) == "ok");
    CHECK(code_of(node.resume(side::target)) == "refused");
    CHECK(node.state(side::target) == run_state::incoming);
  }
  SECTION("no door opens under another number") {
    REQUIRE(code_of(node.receive(7, config)) == "ok");
    CHECK(code_of(node.open_door(8)) == "conflict");
  }
  SECTION("a receiver that is killed tells that its stream failed") {
    REQUIRE(code_of(node.receive(7, config)) == "ok");
    CHECK(code_of(node.kill(side::target)) == "ok");
    REQUIRE(node.heard(side::target).has("failed"));
    CHECK(node.heard(side::target).find("failed")->number == epoch{7});
    CHECK(node.heard(side::target).has("exit"));
    CHECK(node.at(side::target).stream_outcome(node.vm, epoch{7})->end == wire::stream_end::failed);
  }
}

} // namespace drover::contracts
