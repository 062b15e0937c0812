// The contract, run against ssh_link and an sshd of the test's own.
#include "runtime/link/ssh/ssh_link.hpp"
#include "tests/contracts/link_contract.hpp"
#include "tests/support/test_sshd.hpp"

#include <catch2/catch.hpp>

namespace drover::contracts {

TEST_CASE("an SSH link keeps the link's contract") {
  static const testing::test_sshd server;
  const auto loop = std::make_shared<link_loop>();
  const auto shared = std::make_shared<ssh_shared>(loop, ssh_pacing{}, ask_passphrase{});
  check_link_contract(
    {[&loop, &shared] {
       ssh_link_settings settings;
       settings.node = "n1";
       settings.host = "127.0.0.1";
       settings.port = server.port();
       settings.user = testing::test_sshd::user();
       settings.argv = {ECHO_AGENT};
       settings.identity_file = server.identity();
       settings.known_hosts_path = server.known_hosts();
       return std::make_shared<ssh_link>(loop, shared, settings);
     },
     {}});
}

} // namespace drover::contracts
