// The real drover-agent on a plain directory as the store: what it does with its input, its end,
// and a second one beside it.
#include "tests/runtime/agent/agent_program.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace drover::test;
using namespace std::chrono_literals;

TEST_CASE("hello is answered, the list shows the store, and the end of input ends it", "[system]") {
  const agent_directory node;
  agent_program agent{node.command()};
  agent.say(request_line("1", wire::hello{wire::protocol_version, "test:1"}));
  const auto hello = next_reply(agent);
  REQUIRE(hello);
  REQUIRE(hello->body);
  const auto& greeted = std::get<wire::hello_reply>(*hello->body);
  CHECK(greeted.node == node_id{"n1"});
  CHECK(greeted.agent_pid == static_cast<std::uint32_t>(agent.pid()));
  CHECK(greeted.memory_bytes > 0);
  CHECK_FALSE(greeted.boot_id.empty());
  agent.say(request_line("2", wire::list_vms{}));
  const auto list = next_reply(agent);
  REQUIRE(list);
  REQUIRE(list->body);
  const auto& vms = std::get<wire::vm_list>(*list->body).vms;
  REQUIRE(vms.size() == 1);
  CHECK(vms[0].name == "one");
  CHECK(vms[0].config_here);
  agent.close_input();
  CHECK(agent.ended(2s) == 0);
}

TEST_CASE("SIGTERM ends it as the end of input does, and SIGINT does not", "[system]") {
  const agent_directory node;
  agent_program agent{node.command()};
  agent.say(request_line("1", wire::hello{wire::protocol_version, "test:1"}));
  REQUIRE(next_reply(agent));
  ::kill(agent.pid(), SIGINT);
  agent.say(request_line("2", wire::ping{}));
  CHECK(next_reply(agent));
  ::kill(agent.pid(), SIGTERM);
  CHECK(agent.ended(2s) == 0);
}

TEST_CASE("every garbage line gets one error, and the next request its answer", "[system]") {
  const agent_directory node;
  agent_program agent{node.command()};
  agent.say(request_line("1", wire::hello{wire::protocol_version, "test:1"}));
  REQUIRE(next_reply(agent));
  for (const std::string garbage :
       {"", "nonsense", "{\"id\":\"7\"}", "[]", "{\"jsonrpc\":",
        R"({"jsonrpc":"2.0","id":"7","method":"explode","deadline_ms":1,"params":{}})",
        R"({"jsonrpc":"2.0","id":"7","method":"stop_vm","deadline_ms":1,"params":{"vm":"x"}})"}) {
    INFO(garbage);
    agent.say(garbage);
    const auto answer = next_reply(agent);
    REQUIRE(answer);
    CHECK_FALSE(answer->body);
    CHECK(answer->id.value == (garbage.find("\"7\"") == std::string::npos ? "" : "7"));
  }
  agent.say(request_line("2", wire::ping{}));
  const auto answer = next_reply(agent);
  REQUIRE(answer);
  CHECK(answer->body);
}

TEST_CASE("another protocol is refused with both numbers", "[system]") {
  const agent_directory node;
  agent_program agent{node.command()};
  agent.say(request_line("1", wire::hello{99, "test:1"}));
  const auto answer = next_reply(agent);
  REQUIRE(answer);
  REQUIRE_FALSE(answer->body);
  CHECK(answer->body.error().what.find("protocol 99") == 0);
  CHECK(answer->body.error().what.find("protocol 1") != std::string::npos);
}

TEST_CASE("a second agent says who serves the node, and serves it when that one ends", "[system]") {
  const agent_directory node;
  auto first = std::make_unique<agent_program>(node.command());
  first->say(request_line("1", wire::hello{wire::protocol_version, "test:first"}));
  REQUIRE(next_reply(*first));
  {
    agent_program second{node.command()};
    second.say(request_line("1", wire::hello{wire::protocol_version, "test:second"}));
    const auto answer = next_reply(second);
    REQUIRE(answer);
    REQUIRE_FALSE(answer->body);
    CHECK(answer->body.error().code == errc::conflict);
    const auto words = to_string(answer->body.error());
    CHECK(words.find("n1 is served by another agent") == 0);
    CHECK(words.find("pid " + std::to_string(first->pid())) != std::string::npos);
    CHECK(words.find("test:first") != std::string::npos);
    second.close_input();
    CHECK(second.ended(2s) == 0);
  }
  agent_program third{node.command()};
  third.say(request_line("1", wire::hello{wire::protocol_version, "test:third"}));
  CHECK_FALSE(third.hear(300ms));
  first.reset();
  const auto answer = next_reply(third);
  REQUIRE(answer);
  CHECK(answer->body);
}

TEST_CASE("an agent that observes looks on beside the one that acts", "[system]") {
  const agent_directory node;
  agent_program first{node.command()};
  first.say(request_line("1", wire::hello{wire::protocol_version, "test:first"}));
  REQUIRE(next_reply(first));
  agent_program observer{node.command({"--observe"})};
  observer.say(request_line("1", wire::hello{wire::protocol_version, "test:status"}));
  observer.say(request_line("2", wire::list_vms{}));
  observer.say(request_line("3", wire::start_vm{vm_id{105}}));
  CHECK(next_reply(observer)->body);
  CHECK(next_reply(observer)->body.has_value() != next_reply(observer)->body.has_value());
  observer.close_input();
  CHECK(observer.ended(2s) == 0);
}
