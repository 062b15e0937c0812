#include "runtime/journal/run_id.hpp"

#include "tests/runtime/journal/journal_samples.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace drover::testing;

TEST_CASE("a run is named after its moment, and the second of a second is told apart", "[pure]") {
  CHECK(run_id("evacuate-n1", at_s(1'795'423'006)) == "20261123-083646-evacuate-n1");
  CHECK(run_id("evacuate-n1", at_s(1'795'423'006), 2) == "20261123-083646-evacuate-n1-2");
  CHECK(moment_text(at_s(1'795'423'006)) == "2026-11-23 08:36:46 UTC");
}

TEST_CASE("a name that leads elsewhere is no run's name", "[pure]") {
  CHECK(is_run_id("20261123-083646-evacuate-n1"));
  for (const auto* text : {"", ".", "..", "../x", "/etc/passwd", "a b", "a\nb"})
    CHECK_FALSE(is_run_id(text));
}
