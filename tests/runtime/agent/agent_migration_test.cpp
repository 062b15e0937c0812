// Two real agents and real QEMUs: the whole ladder, and a controller that dies on it.
#include "tests/runtime/agent/agent_program.hpp"

#include <catch2/catch.hpp>
#include <iterator>
#include <thread>

using namespace drover;
using namespace drover::test;
using namespace std::chrono_literals;

namespace {

const vm_id vm{105};

struct pair_of_agents {
  pair_of_agents() {
    for (auto* one : {&source, &target})
      REQUIRE(ask(*one, wire::hello{wire::protocol_version, "test:1"}));
    const auto started = ask(source, wire::start_vm{vm});
    INFO((started ? "" : to_string(started.error())));
    REQUIRE(started);
    REQUIRE(started->state == wire::run_state::running);
  }

  agent_directory nodes;
  agent_program source{nodes.command({}, "n1")};
  agent_program target{nodes.command({}, "n2")};
  std::optional<ticket> evidence;

  /// Up to the point where both QEMUs have their final state; under `early` with the move.
  void stream(policy how) {
    const auto begun = ask(source, wire::begin_handover{vm, node_id{"n2"}, how, "test:1"});
    REQUIRE(begun);
    evidence = begun->evidence;
    const auto offer =
      ask(target, wire::receive{begun->evidence, begun->config, begun->facts, false});
    INFO((offer ? "" : to_string(offer.error())));
    REQUIRE(offer);
    if (how == policy::early) {
      REQUIRE(ask(source, wire::move_config{{begun->evidence}}));
      REQUIRE(ask(target, wire::await_claim{{begun->evidence}}));
    }
    REQUIRE(ask(
      source, wire::stream{
                begun->evidence, offer->host, offer->port, offer->token, 0, 500, offer->boot_id,
                offer->key}));
    for (auto* one : {&source, &target}) {
      const auto ended = ask(*one, wire::await_outcome{{begun->evidence}});
      REQUIRE(ended);
      INFO(ended->reason);
      REQUIRE(ended->end == wire::stream_end::completed);
    }
  }

  wire::run_state state(agent_program& one) {
    const auto list = ask(one, wire::list_vms{});
    REQUIRE(list);
    return list->vms.empty() ? wire::run_state::absent : list->vms[0].state;
  }
};

std::string content(const std::filesystem::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

TEST_CASE("two agents move a real QEMU under every policy", "[system]") {
  for (const auto how : all_policies) {
    INFO(to_string(how));
    pair_of_agents two;
    two.stream(how);
    if (how != policy::early && !target_moves_config(how))
      REQUIRE(ask(two.source, wire::move_config{{*two.evidence}}));
    const auto taken = ask(two.target, wire::take_over{{*two.evidence}});
    INFO((taken ? "" : to_string(taken.error())));
    REQUIRE(taken);
    CHECK(taken->state == wire::run_state::running);
    REQUIRE(ask(two.target, wire::await_claim{{*two.evidence}}));
    REQUIRE(ask(two.source, wire::release_source{{*two.evidence}}));
    REQUIRE(ask(two.target, wire::settle{{*two.evidence}}));
    CHECK(two.state(two.source) == wire::run_state::absent);
    CHECK(two.state(two.target) == wire::run_state::running);
    CHECK(content(two.nodes.config("n2")) == agent_directory::text);
    CHECK_FALSE(std::filesystem::exists(two.nodes.config("n1")));
  }
}

TEST_CASE("a real QEMU goes on at its source when the target makes the epoch void", "[system]") {
  pair_of_agents two;
  two.stream(policy::ticket);
  const auto proof = ask(two.target, wire::void_handover{{*two.evidence}});
  REQUIRE(proof);
  CHECK_FALSE(ask(two.target, wire::take_over{{*two.evidence}}));
  const auto gone_on = ask(two.source, wire::continue_source{*two.evidence, *proof});
  INFO((gone_on ? "" : to_string(gone_on.error())));
  REQUIRE(gone_on);
  REQUIRE(ask(two.source, wire::settle{{*two.evidence}}));
  CHECK(two.state(two.source) == wire::run_state::running);
  // Its target's copy goes when that node sees that the source runs.
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (two.state(two.target) != wire::run_state::absent &&
         std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(50ms);
  CHECK(two.state(two.target) == wire::run_state::absent);
  CHECK(content(two.nodes.config("n1")) == agent_directory::text);
}

TEST_CASE("after the switchover two orphans bring the VM up at its target", "[system]") {
  pair_of_agents two;
  two.stream(policy::ticket);
  two.source.close_input();
  two.target.close_input();
  CHECK(two.source.ended(10s) == 0);
  CHECK(two.target.ended(10s) == 0);
  CHECK(std::filesystem::exists(two.nodes.config("n2")));
  agent_program next{two.nodes.command({}, "n2")};
  REQUIRE(ask(next, wire::hello{wire::protocol_version, "test:2"}));
  CHECK(two.state(next) == wire::run_state::running);
  agent_program old{two.nodes.command({}, "n1")};
  REQUIRE(ask(old, wire::hello{wire::protocol_version, "test:2"}));
  // The source's paused copy has gone once the target had settled.
  CHECK(two.state(old) == wire::run_state::absent);
  CHECK(content(two.nodes.config("n2")) == agent_directory::text);
}

TEST_CASE("a new controller's agents finish what killed agents left", "[system]") {
  for (const auto how : all_policies) {
    INFO(to_string(how));
    pair_of_agents two;
    two.stream(how);
    for (auto* one : {&two.source, &two.target})
      ::kill(one->pid(), SIGKILL);
    agent_program source{two.nodes.command({}, "n1")};
    agent_program target{two.nodes.command({}, "n2")};
    for (auto* one : {&source, &target})
      REQUIRE(ask(*one, wire::hello{wire::protocol_version, "test:2"}));
    for (int i = 0; i < 100 && two.state(source) != wire::run_state::absent; ++i)
      std::this_thread::sleep_for(50ms);
    CHECK(two.state(source) == wire::run_state::absent);
    CHECK(two.state(target) == wire::run_state::running);
    CHECK(content(two.nodes.config("n2")) == agent_directory::text);
    // Nothing of it is left, so that the VM can move on.
    const auto begin = [&] {
      return ask(target, wire::begin_handover{vm, node_id{"n1"}, policy::ticket, "test:2"});
    };
    auto back = begin();
    for (int i = 0; i < 100 && !back && back.error().code == errc::retry; ++i) {
      std::this_thread::sleep_for(50ms);
      back = begin();
    }
    INFO((back ? "" : to_string(back.error())));
    CHECK(back);
  }
}

TEST_CASE("an agent that was killed is followed by one that takes the VM over", "[system]") {
  pair_of_agents two;
  two.stream(policy::ticket);
  ::kill(two.target.pid(), SIGKILL);
  agent_program next{two.nodes.command({}, "n2")};
  REQUIRE(ask(next, wire::hello{wire::protocol_version, "test:1"}));
  const auto outcome = ask(next, wire::await_outcome{{*two.evidence}});
  REQUIRE(outcome);
  CHECK(outcome->end == wire::stream_end::completed);
  REQUIRE(ask(next, wire::take_over{{*two.evidence}}));
  REQUIRE(ask(next, wire::await_claim{{*two.evidence}}));
  CHECK(two.state(next) == wire::run_state::running);
}

TEST_CASE("an orphan leaves the node to the agent of a controller that came back", "[system]") {
  pair_of_agents two;
  two.stream(policy::ticket);
  two.target.close_input();
  CHECK_FALSE(two.target.ended(300ms)); // it waits for the source's word
  agent_program next{two.nodes.command({}, "n2")};
  REQUIRE(ask(next, wire::hello{wire::protocol_version, "test:1"}));
  CHECK(two.target.ended(2s) == 0);
  CHECK(ask(next, wire::take_over{{*two.evidence}}));
}

TEST_CASE("an observer sees what runs while another agent has control", "[system]") {
  pair_of_agents two;
  agent_program observer{two.nodes.command({"--observe"}, "n1")};
  REQUIRE(ask(observer, wire::hello{wire::protocol_version, "test:2"}));
  CHECK(two.state(observer) == wire::run_state::running);
  CHECK(two.state(two.source) == wire::run_state::running);
  // It leaves no trace: the next agent with control finds the QEMU as it was.
  observer.close_input();
  CHECK(observer.ended(2s) == 0);
  two.source.close_input();
  CHECK(two.source.ended(2s) == 0);
  agent_program next{two.nodes.command({}, "n1")};
  REQUIRE(ask(next, wire::hello{wire::protocol_version, "test:1"}));
  CHECK(two.state(next) == wire::run_state::running);
}
