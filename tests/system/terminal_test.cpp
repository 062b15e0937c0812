// What a person sees who runs drover on a terminal, and what a pipe gets.
#include "tests/support/run_program.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace drover::testing;
using namespace std::chrono_literals;

namespace {

const std::string run_of_stays = DROVER_PROGRAM " run " DROVER_SCENARIOS "/local/stays_paused.json";

/// `script` gives the program a terminal of its own; what it writes there comes out here.
finished_program on_a_terminal(const std::string& environment) {
  return run_program(
    {"script", "-qec", "env " + environment + " " + run_of_stays, "/dev/null"}, 120s);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a terminal gets bars that are rewritten, in colour", "[system]") {
  const auto seen = on_a_terminal("-u NO_COLOR TERM=xterm");
  INFO(seen.out);
  REQUIRE(seen.exit_code == 0);
  CHECK(has(seen.out, "all ["));
  CHECK(has(seen.out, "\x1b[32m#"));
  CHECK(has(seen.out, "A\r\x1b[J")); // The bars are taken away before the result.
  CHECK_FALSE(has(seen.out, "\x1b[2J"));
}

TEST_CASE("NO_COLOR takes the colours and leaves the bars", "[system]") {
  const auto seen = on_a_terminal("TERM=xterm NO_COLOR=1");
  INFO(seen.out);
  REQUIRE(seen.exit_code == 0);
  CHECK(has(seen.out, "all ["));
  CHECK_FALSE(has(seen.out, "\x1b[32m"));
  CHECK_FALSE(has(seen.out, "\x1b[0m"));
}

TEST_CASE("a pipe and a dumb terminal get plain lines", "[system]") {
  const auto dumb = on_a_terminal("TERM=dumb");
  CHECK_FALSE(has(dumb.out, "\x1b"));
  const auto piped =
    run_program({DROVER_PROGRAM, "run", DROVER_SCENARIOS "/local/stays_paused.json"}, 120s);
  INFO(piped.err);
  CHECK(piped.exit_code == 0);
  CHECK_FALSE(has(piped.out + piped.err, "\x1b"));
  CHECK(has(piped.err, ": moved"));
}
