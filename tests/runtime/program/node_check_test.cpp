// What `drover node check` makes of what it heard, without a node.
#include "runtime/program/readiness_text.hpp"
#include "runtime/wire/features.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::chrono_literals;

namespace {

wall_time at(milliseconds since) { return wall_time{std::chrono::hours{1000} + since}; }

cluster_node node_over_ssh() {
  cluster_node node;
  node.node = node_id{"n1"};
  node.link = link_kind::ssh;
  node.place = {"192.0.2.1", 2222, "drover", "/key", "/usr/bin/drover-agent"};
  return node;
}

} // namespace

TEST_CASE("the clock's offset is that of the shortest round trip") {
  clock_samples clock;
  CHECK_FALSE(clock.best());
  clock.asked(at(0ms));
  clock.answered(at(100ms), at(1050ms));
  CHECK(clock.best()->ahead == 1000ms);
  CHECK(clock.best()->error == 50ms);
  clock.asked(at(200ms));
  clock.answered(at(202ms), at(1191ms));
  CHECK(clock.best()->ahead == 990ms);
  CHECK(clock.best()->error == 1ms);
  clock.asked(at(300ms));
  clock.answered(at(400ms), at(300ms));
  CHECK(clock.best()->ahead == 990ms);
  CHECK(clock.taken() == 3);
}

TEST_CASE("a login that fails is all there is to tell, with the command that mends it") {
  visit_facts facts;
  facts.end = error{errc::refused, "the key is not known, then run: drover node trust n1", {}};
  const auto items = items_of(node_over_ssh(), facts);
  REQUIRE(items.size() == 1);
  CHECK(items[0].name == "login");
  CHECK_FALSE(items[0].ok);
  CHECK(items[0].mend == "drover node trust n1");
  facts.end =
    error{errc::refused, "sshd does not accept the key; put it there with: ssh-copy-id x", {}};
  CHECK(items_of(node_over_ssh(), facts)[0].mend == "ssh-copy-id x");
}

TEST_CASE("an agent that is not there or of another version is to be copied") {
  visit_facts facts;
  facts.is_open = true;
  facts.end = error{errc::lost, "the agent exited with status 127", "not found"};
  const auto gone = items_of(node_over_ssh(), facts);
  REQUIRE(gone.size() == 2);
  CHECK(gone[0].ok);
  CHECK_FALSE(gone[1].ok);
  CHECK(gone[1].mend == "scp -P 2222 drover-agent drover@192.0.2.1:/usr/bin/drover-agent");
  facts.report = readiness_report{"0.0.1", {{"qemu", true, "q", ""}}};
  const auto old = items_of(node_over_ssh(), facts);
  REQUIRE(old.size() == 3);
  CHECK_FALSE(old[1].ok);
  CHECK(old[1].found == "version 0.0.1, drover is " DROVER_VERSION);
  CHECK_FALSE(all_ready({{node_id{"n1"}, old}}));
}

TEST_CASE("an agent of the same major version does, and what it lacks is told") {
  visit_facts facts;
  facts.is_open = true;
  facts.report = readiness_report{"0.9", {{"qemu", true, "q", ""}}};
  auto& hello = facts.hello.emplace();
  hello.protocol = wire::protocol_version;
  hello.version = "0.9";
  const auto older = items_of(node_over_ssh(), facts)[1];
  CHECK(older.ok);
  CHECK_THAT(older.found, Catch::StartsWith("version 0.9 (protocol 1.0), drover is "));
  for (const auto name : wire::features_here) {
    CHECK_THAT(older.found, Catch::Contains("; without " + std::string{name} + ": "));
    hello.features.emplace_back(name);
  }
  hello.features.emplace_back("teleport");
  hello.minor = 7;
  hello.version = "1.9";
  const auto newer = items_of(node_over_ssh(), facts)[1];
  CHECK(newer.ok);
  CHECK_THAT(newer.found, Catch::StartsWith("version 1.9 (protocol 1.7), drover is "));
  CHECK_THAT(newer.found, !Catch::Contains("without"));
  hello.version = DROVER_VERSION;
  hello.minor = wire::protocol_minor;
  CHECK(items_of(node_over_ssh(), facts)[1].found == "version " DROVER_VERSION);
}

TEST_CASE("an agent of another major version, or one that refuses this one, is to be replaced") {
  visit_facts facts;
  facts.is_open = true;
  facts.hello.emplace().protocol = 2;
  facts.hello->version = "2.0";
  const auto foreign = items_of(node_over_ssh(), facts)[1];
  CHECK_FALSE(foreign.ok);
  CHECK_THAT(foreign.found, Catch::StartsWith("version 2.0 (protocol 2.0), drover is "));
  CHECK_THAT(foreign.mend, Catch::StartsWith("scp -P 2222 drover-agent"));
  facts.hello.reset();
  facts.refusal = error{errc::refused, "protocol 1.1 was asked for", "n1"};
  const auto refused = items_of(node_over_ssh(), facts)[1];
  CHECK_FALSE(refused.ok);
  CHECK(refused.found == "protocol 1.1 was asked for (n1)");
}

TEST_CASE("a node that lacks nothing is ready, and a clock that is far off is not") {
  visit_facts facts;
  facts.is_open = true;
  facts.report = readiness_report{DROVER_VERSION, {{"qemu", true, "q", ""}}};
  facts.clock = clock_offset{-3ms, 1ms};
  const readiness ready{{node_id{"n1"}, items_of(node_over_ssh(), facts)}};
  CHECK(all_ready(ready));
  CHECK_THAT(readiness_table(ready), Catch::Contains("-3.00 ms, at most 1.00 ms wrong"));
  CHECK_THAT(readiness_json(ready), Catch::Contains("\"ready\": true"));
  facts.clock = clock_offset{-3s, 1ms};
  const readiness late{{node_id{"n1"}, items_of(node_over_ssh(), facts)}};
  CHECK_FALSE(all_ready(late));
  CHECK_THAT(readiness_table(late), Catch::Contains("mend:"));
}
