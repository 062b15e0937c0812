// The contract, run against process_link.
#include "runtime/link/process_link.hpp"
#include "tests/contracts/link_contract.hpp"

#include <catch2/catch.hpp>

namespace drover::contracts {

TEST_CASE("a process link keeps the link's contract") {
  const auto loop = std::make_shared<link_loop>();
  check_link_contract(
    {[&loop] {
       process_link_settings settings;
       settings.argv = {ECHO_AGENT};
       // A peer that stalls on purpose is not waited for.
       settings.term_after = milliseconds(1);
       settings.kill_after = milliseconds(2);
       return std::make_shared<process_link>(loop, settings);
     },
     {}});
}

} // namespace drover::contracts
