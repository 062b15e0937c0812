// When a source that would not go on is asked again.
#include "runtime/hypervisor/refused_cont.hpp"

#include <catch2/catch.hpp>

using namespace drover;

TEST_CASE("a source that refuses to go on is asked again as long as that can change") {
  CHECK(judge_refused_cont("finish-migrate") == refused_cont::ask_later);
  // Measured: under load it gets there between the refusal and the look.
  CHECK(judge_refused_cont("postmigrate") == refused_cont::ask_once_more);
  for (const auto* status : {"running", "paused", "inmigrate", "internal-error", ""})
    CHECK(judge_refused_cont(status) == refused_cont::final);
}
