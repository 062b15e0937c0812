// How a link logs in: keys from a file, from an agent, with a passphrase; and what goes wrong.
#include "tests/runtime/link/ssh/ssh_rig.hpp"

#include <atomic>
#include <csignal>
#include <future>

namespace {

using namespace drover;
using namespace drover::testing;
using Catch::Contains;

const std::string right = "correct horse";

/// An sshd with a second key that is encrypted.
struct encrypted_rig {
  encrypted_rig() : settings(settings_for(server)) {
    settings.identity_file = server.file("locked");
    make_key(settings.identity_file, "ed25519", right);
    server.authorize(settings.identity_file + ".pub");
  }
  test_sshd server;
  ssh_link_settings settings;
};

} // namespace

TEST_CASE("a key that sshd does not know is refused, with the command that mends it") {
  const test_sshd server;
  auto settings = settings_for(server);
  settings.identity_file = server.file("stranger");
  make_key(settings.identity_file);
  ssh_rig r(settings);
  const auto why = r.refusal();
  CHECK(why.code == errc::refused);
  CHECK_THAT(why.what, Contains("ssh-copy-id -i " + settings.identity_file + ".pub"));
}

TEST_CASE("an identity that cannot be used is refused before anybody is asked") {
  const test_sshd server;
  auto settings = settings_for(server);
  settings.identity_file = server.file("id");
  std::string reason;
  SECTION("none there") { reason = "there is no identity file"; }
  SECTION("not a key") {
    write_text(settings.identity_file, "hello\n");
    reason = "not a private key in OpenSSH's format";
  }
  SECTION("cut off") {
    const auto whole = text_of(server.identity());
    write_text(
      settings.identity_file, whole.substr(0, 120) + "\n-----END OPENSSH PRIVATE KEY-----\n");
    reason = "damaged";
  }
  SECTION("RSA") {
    make_key(settings.identity_file, "rsa");
    reason = "a ssh-rsa key cannot be used";
  }
  SECTION("a directory") {
    settings.identity_file = server.directory();
    reason = "not a file";
  }
  ssh_rig r(settings);
  const auto why = r.refusal();
  CHECK(why.code == errc::invalid);
  CHECK_THAT(why.what, Contains(reason));
  CHECK(why.context == settings.identity_file);
  CHECK_THAT(server.log(), !Contains("Connection from"));
}

TEST_CASE("a passphrase is asked for once, for all links, and keeps nobody else waiting") {
  encrypted_rig rig;
  std::atomic<int> asked = 0;
  std::promise<void> answer;
  const auto answered = answer.get_future().share();
  const auto shared = make_shared_part([&asked, answered](const std::string&) {
    ++asked;
    answered.wait();
    return std::optional<secret>(secret{right});
  });
  ssh_rig first(rig.settings, shared), second(rig.settings, shared);
  ssh_rig other(settings_for(rig.server), shared);
  other.check_alive();
  CHECK(comes_true([&asked] { return asked == 1; }));
  CHECK_FALSE(first.heard.closed_count());
  answer.set_value();
  first.check_alive();
  second.check_alive();
  ssh_rig third(rig.settings, shared);
  third.check_alive();
  CHECK(asked == 1);
}

TEST_CASE("a wrong passphrase is told and asked for again") {
  encrypted_rig rig;
  std::atomic<int> asked = 0;
  const auto shared = make_shared_part([&asked](const std::string&) {
    return std::optional<secret>(secret{++asked == 1 ? "wrong" : right});
  });
  ssh_rig r(rig.settings, shared);
  const auto why = r.refusal();
  CHECK(why.code == errc::refused);
  CHECK_THAT(why.what, Contains("the passphrase is wrong"));
  CHECK(why.context == rig.settings.identity_file);
  r.way->open(r.heard.events());
  r.check_alive();
  CHECK(asked == 2);
}

TEST_CASE("without a passphrase, an encrypted key is refused with the way round it") {
  encrypted_rig rig;
  ask_passphrase ask;
  SECTION("nobody to ask") {}
  SECTION("nobody answers") {
    ask = [](const std::string&) { return std::optional<secret>(); };
  }
  ssh_rig r(rig.settings, make_shared_part(ask));
  CHECK_THAT(r.refusal().what, Contains("ssh-add " + rig.settings.identity_file));
}

TEST_CASE("a link closes while a person is asked") {
  encrypted_rig rig;
  std::promise<void> answer;
  const auto answered = answer.get_future().share();
  ssh_rig r(rig.settings, make_shared_part([answered](const std::string&) {
              answered.wait();
              return std::optional<secret>(secret{right});
            }));
  r.way->close();
  CHECK(r.refusal().what == "the link was closed");
  // What was given meanwhile serves the next life.
  r.way->open(r.heard.events());
  answer.set_value();
  r.check_alive();
}

// -- the ssh-agent -------------------------------------------------------------------------------

TEST_CASE("an ssh-agent signs for a link, with the first of its keys that sshd takes") {
  const test_sshd server;
  const test_ssh_agent agent;
  auto settings = settings_for(server);
  for (const char* type : {"rsa", "ed25519", "ecdsa"}) {
    make_key(server.file(std::string{"foreign_"} + type), type);
    agent.add(server.file(std::string{"foreign_"} + type));
  }
  settings.identity_file.clear();
  settings.agent_socket = agent.socket();
  SECTION("ed25519") { agent.add(server.identity()); }
  SECTION("ecdsa") {
    make_key(server.file("second"), "ecdsa");
    server.authorize(server.file("second.pub"));
    agent.add(server.file("second"));
  }
  ssh_rig r(settings);
  r.check_alive();
}

TEST_CASE("an ssh-agent that cannot help is told by name") {
  const test_sshd server;
  const test_ssh_agent agent;
  auto settings = settings_for(server);
  settings.identity_file.clear();
  settings.agent_socket = agent.socket();
  std::string reason;
  SECTION("no key") { reason = "the ssh-agent has no ed25519 or ECDSA key"; }
  SECTION("no key that sshd takes") {
    make_key(server.file("foreign"));
    agent.add(server.file("foreign"));
    reason = "accepts no key of the ssh-agent (1 tried)";
  }
  SECTION("no agent there") {
    settings.agent_socket = server.file("nobody");
    reason = "cannot ask the ssh-agent: No such file";
  }
  SECTION("a path too long for a socket") {
    settings.agent_socket = "/" + std::string(200, 'x');
    reason = "too long";
  }
  SECTION("neither a file nor an agent") {
    settings.agent_socket.clear();
    reason = "there is no key to log in with";
  }
  ssh_rig r(settings);
  CHECK_THAT(r.refusal().what, Contains(reason));
}

TEST_CASE("an ssh-agent that has the encrypted key spares the passphrase") {
  encrypted_rig rig;
  const test_ssh_agent agent;
  rig.settings.agent_socket = agent.socket();
  std::atomic<int> asked = 0;
  const auto shared = make_shared_part([&asked](const std::string&) {
    ++asked;
    return std::optional<secret>(secret{right});
  });
  SECTION("it has it") {
    const auto bare = rig.server.file("bare");
    std::filesystem::copy_file(rig.settings.identity_file, bare);
    REQUIRE(
      run_program({"ssh-keygen", "-q", "-p", "-P", right, "-N", "", "-f", bare}).exit_code == 0);
    agent.add(bare);
    ssh_rig(rig.settings, shared).check_alive();
    CHECK(asked == 0);
  }
  SECTION("it does not have it") {
    ssh_rig(rig.settings, shared).check_alive();
    CHECK(asked == 1);
  }
}

TEST_CASE("a stopped ssh-agent costs one login its time and no link anything") {
  const test_sshd server;
  const test_ssh_agent agent;
  agent.add(server.identity());
  const auto shared = make_shared_part();
  ssh_rig other(settings_for(server), shared);
  other.check_alive();
  ::kill(agent.pid(), SIGSTOP);
  auto settings = settings_for(server);
  settings.identity_file.clear();
  settings.agent_socket = agent.socket();
  settings.agent_within = milliseconds(300);
  ssh_rig r(settings, shared);
  other.check_alive();
  CHECK_FALSE(r.heard.closed_count());
  const auto why = r.refusal();
  CHECK(why.code == errc::timeout);
  CHECK(why.what == "the ssh-agent does not answer");
  other.check_alive();
  ::kill(agent.pid(), SIGCONT);
  r.way->open(r.heard.events());
  r.check_alive();
}
