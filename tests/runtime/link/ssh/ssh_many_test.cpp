// Many links at once: the pacing of logins and the one thread.
#include "tests/runtime/link/ssh/ssh_rig.hpp"

#include <algorithm>
#include <iostream>

namespace {

using namespace drover;
using namespace drover::testing;
using Catch::Contains;

std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace

TEST_CASE("64 links open within one sshd's MaxStartups, on one thread") {
  constexpr std::size_t count = 64;
  const test_sshd server; // MaxStartups 10:30:100, as everywhere
  const auto threads_before = threads_of_this_process();
  const auto shared = make_shared_part();
  const auto settings = settings_for(server);
  const auto before = monotonic_now();
  std::vector<std::unique_ptr<ssh_rig>> links;
  for (std::size_t n = 0; n < count; ++n)
    links.push_back(std::make_unique<ssh_rig>(settings, shared));
  for (const auto& one : links) {
    const bool is_open = one->heard.wait_opened();
    CHECK(to_string(one->heard.last_reason()) == to_string(error{}));
    REQUIRE(is_open);
  }
  const auto opened = monotonic_now() - before;
  for (const auto& one : links)
    one->way->send("first");
  for (const auto& one : links)
    REQUIRE(one->heard.wait_lines(1));
  const auto answered = monotonic_now() - before;
  std::cout << count << " links to one sshd: open after " << seconds(opened)
            << " s, all answered after " << seconds(answered) << " s\n";
  CHECK_THAT(server.log(), !Contains("MaxStartups") && !Contains("drop connection"));
  // The loop's; helpers end when they have nothing to do.
  CHECK(comes_true([=] { return threads_of_this_process() == threads_before + 1; }));
  for (int round = 0; round < 20; ++round)
    for (const auto& one : links)
      one->way->send("round");
  for (const auto& one : links)
    CHECK(one->heard.wait_lines(21));
}

TEST_CASE("a host that never answers holds up nobody else's login") {
  const test_sshd server;
  const auto shared = make_shared_part({}, {4, 2});
  // Its backlog takes connections and nobody ever greets.
  const auto dead = settings_for(server);
  auto elsewhere = dead;
  elsewhere.host = "192.0.2.1"; // a documentation address: no answer, or no route
  elsewhere.connect_within = milliseconds(400);
  std::vector<std::unique_ptr<ssh_rig>> lost;
  for (int n = 0; n < 4; ++n)
    lost.push_back(std::make_unique<ssh_rig>(elsewhere, shared));
  ssh_rig r(dead, shared);
  r.check_alive();
  for (const auto& one : lost)
    CHECK(one->heard.wait_closed());
}
