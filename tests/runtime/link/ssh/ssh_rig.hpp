// A link over SSH to an sshd of the test's own, with the echo agent behind it. Rule: arranges only;
// patience ends in a failed check, never in a hang.
#pragma once

#include "runtime/link/ssh/ssh_link.hpp"
#include "tests/contracts/link_contract.hpp"
#include "tests/support/test_sshd.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>

namespace drover::testing {

inline ssh_link_settings settings_for(const test_sshd& server) {
  ssh_link_settings settings;
  settings.node = "n1";
  settings.host = "127.0.0.1";
  settings.port = server.port();
  settings.user = test_sshd::user();
  settings.argv = {ECHO_AGENT};
  settings.identity_file = server.identity();
  settings.known_hosts_path = server.known_hosts();
  return settings;
}

/// What links of one loop share, and the loop.
struct shared_part {
  std::shared_ptr<link_loop> loop = std::make_shared<link_loop>();
  std::shared_ptr<ssh_shared> logins;
};

inline shared_part make_shared_part(ask_passphrase ask = {}, ssh_pacing pacing = {}) {
  shared_part made;
  made.logins = std::make_shared<ssh_shared>(made.loop, pacing, std::move(ask));
  return made;
}

/// A link that is being opened.
struct ssh_rig {
  explicit ssh_rig(const ssh_link_settings& settings, shared_part part = make_shared_part())
    : shared(std::move(part)),
      way(std::make_shared<ssh_link>(shared.loop, shared.logins, settings)) {
    way->open(heard.events());
  }

  shared_part shared;
  contracts::link_listener heard{{}};
  std::shared_ptr<ssh_link> way;

  /// Why it did not open.
  error refusal() {
    REQUIRE(heard.wait_closed());
    CHECK(heard.lines().empty());
    return heard.last_reason();
  }
  /// Carries a line there and back.
  void check_alive() {
    REQUIRE(heard.wait_opened());
    const auto before = heard.lines().size();
    way->send("alive");
    REQUIRE(heard.wait_lines(before + 1));
    CHECK(heard.lines().back() == "alive");
  }
};

template <class Happened>
bool comes_true(Happened happened) {
  const auto limit = monotonic_now() + contracts::longest_link_wait;
  while (!happened()) {
    if (monotonic_now() > limit)
      return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

} // namespace drover::testing
