// The pause as the two drivers make it when nobody stands between them: STOP to RESUME, with
// `resume` sent as soon as both sides have reported `completed`.
#include "tests/contracts/hypervisor_calls.hpp"
#include "tests/contracts/hypervisor_qemu_rig.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace drover {

namespace {

using contracts::side;

double pause_ms(const std::string& memory) {
  contracts::hypervisor_calls n(std::make_unique<contracts::qemu_rig>());
  auto& qemu = static_cast<contracts::qemu_rig&>(n.rig());
  n.begin_move(7, qemu.config(memory));
  n.wait_completed();
  const auto resumed = n.resume(side::target);
  REQUIRE(resumed);
  const auto pause = *resumed - n.heard(side::source).find("stopped")->at;
  return std::chrono::duration<double, std::milli>(pause).count();
}

} // namespace

TEST_CASE("the pause of a small VM is a few milliseconds") {
  // Generous, because the machine may be busy: it catches a lost TCP_NODELAY (40 ms), a poll, a
  // wait.
  constexpr double pause_most_ms = 30;
  constexpr std::size_t moves = 20;
  std::vector<double> pauses;
  for (std::size_t i = 0; i < moves; ++i)
    pauses.push_back(pause_ms("2056k"));
  std::sort(pauses.begin(), pauses.end());
  WARN(
    "pause of " << moves << " moves: least " << pauses.front() << " ms, median "
                << pauses[moves / 2] << " ms, most " << pauses.back() << " ms");
  CHECK(pauses[moves / 2] < pause_most_ms);
}

} // namespace drover
