// A stream that another agent has begun, by QEMU's words for it.
#include "runtime/hypervisor/adopted_stream.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::string_literals;

TEST_CASE("a new agent takes a source's stream for what it is at every moment of its end") {
  const auto source = [](const std::string& status, const std::string& migration) {
    return judge_adopted(stream_role::source, status, migration);
  };
  CHECK(source("running", "active") == adopted_stream::under_way);
  CHECK(source("finish-migrate", "active") == adopted_stream::switching_over);
  CHECK(source("finish-migrate", "device") == adopted_stream::switching_over);
  // Measured: under load a killed agent's successor comes between these two.
  CHECK(source("finish-migrate", "completed") == adopted_stream::completed);
  CHECK(source("postmigrate", "completed") == adopted_stream::completed);
  // An earlier handover's end.
  for (const auto& state : {"running"s, "paused"s}) {
    CHECK(source(state, "completed") == adopted_stream::failed);
    CHECK(source(state, "failed") == adopted_stream::failed);
    CHECK(source(state, "cancelled") == adopted_stream::cancelled);
    CHECK(source(state, "none") == adopted_stream::failed);
    CHECK(source(state, "") == adopted_stream::failed);
  }
}

TEST_CASE("a new agent knows by the run state whether a target has loaded") {
  const auto target = [](const std::string& status, const std::string& migration) {
    return judge_adopted(stream_role::target, status, migration);
  };
  CHECK(target("inmigrate", "") == adopted_stream::none);
  CHECK(target("inmigrate", "none") == adopted_stream::none);
  CHECK(target("inmigrate", "active") == adopted_stream::under_way);
  CHECK(target("paused", "completed") == adopted_stream::completed);
  CHECK(target("running", "") == adopted_stream::completed);
  CHECK(judge_adopted(stream_role::none, "postmigrate", "") == adopted_stream::none);
}
