#include "runtime/hypervisor/migration_switches.hpp"

#include <catch2/catch.hpp>

namespace drover {

using nlohmann::json;
using wanted = migration_switches::wanted;

TEST_CASE("of what a binary knows everything is said that does not stand so already") {
  migration_switches fresh;
  fresh.learn(
    {{{"capability", "events"}, {"state", false}},
     {{"capability", "return-path"}, {"state", false}}});
  CHECK(fresh.knows("events"));
  CHECK_FALSE(fresh.knows("late-block-activate"));
  CHECK(fresh.changes(switches_of_target()) == wanted{{"events", true}, {"return-path", true}});
  CHECK(
    argument_of(fresh.changes({{"events", true}})) ==
    json{{"capabilities", {{{"capability", "events"}, {"state", true}}}}});
}

TEST_CASE("what stands so already is not said again") {
  migration_switches known;
  known.learn(
    {{{"capability", "events"}, {"state", true}}, {{"capability", "multifd"}, {"state", true}}});
  CHECK(known.changes({{"events", true}, {"multifd", false}}) == wanted{{"multifd", false}});
  known.note({{"multifd", false}});
  CHECK(known.changes({{"events", true}, {"multifd", false}}).empty());
}

TEST_CASE("what is being set, or was perhaps set, is said again") {
  migration_switches known;
  known.learn({{{"capability", "multifd"}, {"state", false}}});
  known.forget({{"multifd", true}});
  CHECK(known.changes({{"multifd", false}}) == wanted{{"multifd", false}});
  CHECK(known.changes({{"multifd", true}}) == wanted{{"multifd", true}});
}

TEST_CASE("what somebody else may have set is said again, and is known to be there") {
  migration_switches known;
  known.learn({{{"capability", "events"}, {"state", true}}});
  known.forget_all();
  CHECK(known.knows("events"));
  CHECK(known.changes(switches_of_any()) == wanted{{"events", true}});
  CHECK(
    words_of({{"events", true}, {"multifd", false}}) ==
    std::vector<std::string>{
      "-global", "migration.x-events=on", "-global", "migration.x-multifd=off"});
}

TEST_CASE("a list of another form teaches nothing") {
  const auto odd = GENERATE(
    json(nullptr), json("events"), json::array({7, json::object(), {{"capability", "events"}}}),
    json::array({{{"capability", "events"}, {"state", "on"}}}));
  migration_switches known;
  known.learn(odd);
  CHECK_FALSE(known.knows("events"));
}

} // namespace drover
