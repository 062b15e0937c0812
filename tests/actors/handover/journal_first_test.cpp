// A VM begins only when the journal has written that it does.
#include "tests/actors/handover/handover_rig.hpp"

using namespace drover;
using namespace drover::testing;

TEST_CASE("no agent is asked anything before the journal has it that the VM begins", "[handover]") {
  handover_rig rig;
  rig.journal_answers = false;
  rig.give(handover::begin{});
  rig.run();
  CHECK(rig.machine.at() == phase::waiting);
  CHECK(rig.writes_ahead == 1);
  CHECK(rig.log.empty());
  CHECK(rig.asked.empty());
  rig.give(handover::written_ahead{});
  rig.run();
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::moved);
}

TEST_CASE("the journal is asked once, and a late word of it changes nothing", "[handover]") {
  for (const auto at : {step::begin, step::receive, step::stream, step::take_over, step::claim}) {
    handover_rig rig;
    rig.give(handover::begin{});
    rig.run_until(at);
    const auto phase_before = rig.machine.at();
    const auto asked_before = rig.asked.size();
    rig.give(handover::written_ahead{});
    CHECK(rig.machine.at() == phase_before);
    CHECK(rig.asked.size() == asked_before);
    CHECK(rig.writes_ahead == 1);
  }
}

TEST_CASE("a VM that is cancelled while the journal writes stays untouched", "[handover]") {
  handover_rig rig;
  rig.journal_answers = false;
  rig.give(handover::begin{});
  rig.run();
  rig.give(handover::cancel_asked{"enough"});
  REQUIRE(rig.ending);
  CHECK(rig.ending->end == verdict::stayed);
  CHECK(rig.held.empty());
  rig.give(handover::written_ahead{});
  CHECK(rig.asked.empty());
}
