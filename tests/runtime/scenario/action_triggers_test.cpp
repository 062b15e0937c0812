#include "runtime/scenario/action_triggers.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::chrono_literals;

namespace {

trace_event streaming(std::uint32_t vm) {
  return {{}, phase_changed{vm_id{vm}, epoch{1}, "queued", "streaming"}};
}

scenario_action at_event(std::uint32_t count) {
  scenario_action a;
  a.when = event_condition{"phase_changed", {{"to", "streaming"}}, count};
  return a;
}

} // namespace

TEST_CASE("an action without an event is due its time after the beginning", "[triggers]") {
  scenario_action soon;
  scenario_action late;
  late.after = std::chrono::hours{1};
  action_triggers triggers{{late, soon}};
  CHECK_FALSE(triggers.next(monotonic_now()));
  triggers.begin(monotonic_now());
  CHECK(triggers.next(monotonic_now()) == 1U);
  CHECK_FALSE(triggers.next(monotonic_now()));
  CHECK(triggers.never_due() == std::vector<std::size_t>{0});
}

TEST_CASE("an action with an event is due at its count, once", "[triggers]") {
  action_triggers triggers{{at_event(2)}};
  triggers.begin(monotonic_now());
  triggers.take(streaming(100));
  CHECK_FALSE(triggers.next(monotonic_now()));
  triggers.take(streaming(101));
  CHECK(triggers.next(monotonic_now() + 1s) == 0U);
  triggers.take(streaming(102));
  CHECK_FALSE(triggers.next(monotonic_now()));
  CHECK(triggers.never_due().empty());
}

TEST_CASE("any event is counted the same with and without lines and views", "[triggers]") {
  scenario_action a;
  a.when = event_condition{"any", {}, 2};
  action_triggers triggers{{a}};
  triggers.begin(monotonic_now());
  triggers.take(streaming(100));
  triggers.take({{}, message_carried{}});
  triggers.take({{}, view_changed{}});
  CHECK_FALSE(triggers.next(monotonic_now() + 1s));
  triggers.take(streaming(101));
  CHECK(triggers.next(monotonic_now() + 1s) == 0U);
}
