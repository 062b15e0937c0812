// Which hosts a link believes, and how a host comes to be believed.
#include "runtime/link/ssh/host_trust.hpp"
#include "tests/runtime/link/ssh/ssh_rig.hpp"

namespace {

using namespace drover;
using namespace drover::testing;
using Catch::Contains;

/// "SHA256:..." as ssh-keygen prints it.
std::string fingerprint_of(const std::string& public_key) {
  const auto out = run_program({"ssh-keygen", "-lf", public_key}).out;
  const auto begin = out.find("SHA256:");
  return out.substr(begin, out.find(' ', begin) - begin);
}

result<ssh::host_key> fetch(const test_sshd& server) {
  return ssh::fetch_host_key(
    "127.0.0.1", server.port(), std::chrono::seconds(5), std::chrono::seconds(10));
}

} // namespace

TEST_CASE("a host whose key nobody has noted is refused, with what to do") {
  const test_sshd server;
  auto settings = settings_for(server);
  SECTION("no file") { settings.known_hosts_path = server.file("none"); }
  SECTION("an empty file") { write_text(settings.known_hosts_path, "# nobody\n"); }
  SECTION("another port of the same host") {
    write_text(settings.known_hosts_path, "127.0.0.1 " + server.host_key_line() + "\n");
  }
  ssh_rig r(settings);
  const auto why = r.refusal();
  CHECK(why.code == errc::refused);
  CHECK_THAT(why.what, Contains("is not known") && Contains("drover node trust n1"));
  CHECK(why.context == "it shows ssh-ed25519 " + fingerprint_of(server.file("host_ed25519.pub")));
  // The key to log in with has not been shown to a stranger.
  CHECK_THAT(server.log(), !Contains("publickey"));
}

TEST_CASE("a host whose key has changed is refused, with the line to look at") {
  const test_sshd server;
  const auto settings = settings_for(server);
  make_key(server.file("other"));
  const auto other = text_of(server.file("other.pub"));
  write_text(
    settings.known_hosts_path,
    "# ours\n[127.0.0.1]:" + std::to_string(server.port()) + " " + other);
  ssh_rig r(settings);
  const auto why = r.refusal();
  CHECK(why.code == errc::refused);
  CHECK_THAT(why.what, Contains("CHANGED") && Contains("drover node trust n1"));
  CHECK_THAT(why.what, Contains(settings.known_hosts_path + ":2"));
  CHECK_THAT(server.log(), !Contains("publickey"));
}

TEST_CASE("a host with several keys shows the one that is known") {
  const test_sshd server({{"ecdsa", "ed25519"}, {}, 0});
  const auto settings = settings_for(server);
  const auto name = "[127.0.0.1]:" + std::to_string(server.port()) + " ";
  SECTION("ed25519") {
    write_text(settings.known_hosts_path, name + server.host_key_line("ed25519") + "\n");
  }
  SECTION("ecdsa") {
    write_text(settings.known_hosts_path, name + server.host_key_line("ecdsa") + "\n");
  }
  SECTION("hashed, as ssh-keygen -H does it") {
    write_text(
      settings.known_hosts_path, "other,h* " + server.host_key_line("ecdsa") + "\n" + name +
                                   server.host_key_line("ed25519") + "\n");
    run_program({"ssh-keygen", "-H", "-f", settings.known_hosts_path});
    REQUIRE_THAT(text_of(settings.known_hosts_path), Contains("|1|"));
  }
  ssh_rig r(settings);
  r.check_alive();
}

TEST_CASE("a host that is known by a key it has no longer is refused") {
  const test_sshd server;
  const auto settings = settings_for(server);
  const auto name = "[127.0.0.1]:" + std::to_string(server.port()) + " ";
  make_key(server.file("other"), "ecdsa");
  write_text(settings.known_hosts_path, name + text_of(server.file("other.pub")));
  ssh_rig r(settings);
  const auto why = r.refusal();
  CHECK(why.code == errc::refused);
  CHECK_THAT(why.what, Contains("has no longer the host key") && Contains("drover node trust n1"));
}

TEST_CASE("a host that is known by an RSA key only is refused, with what to do") {
  const test_sshd server({{"ed25519", "rsa"}, {}, 0});
  const auto settings = settings_for(server);
  write_text(
    settings.known_hosts_path,
    "[127.0.0.1]:" + std::to_string(server.port()) + " " + server.host_key_line("rsa") + "\n");
  ssh_rig r(settings);
  const auto why = r.refusal();
  CHECK(why.code == errc::refused);
  CHECK_THAT(why.what, Contains("by ssh-rsa only") && Contains("drover node trust n1"));
}

TEST_CASE("a revoked key is refused whatever else the file says") {
  const test_sshd server;
  const auto settings = settings_for(server);
  write_text(
    settings.known_hosts_path,
    text_of(settings.known_hosts_path) + "@revoked * " + server.host_key_line() + "\n");
  ssh_rig r(settings);
  CHECK_THAT(r.refusal().what, Contains("revoked"));
}

TEST_CASE("a host is trusted by fetching its key and noting it") {
  const test_sshd server({{"ecdsa", "ed25519"}, {}, 0});
  auto settings = settings_for(server);
  settings.known_hosts_path = server.file("fresh");
  const auto key = fetch(server);
  REQUIRE(key);
  CHECK(key->type == "ssh-ed25519");
  CHECK(key->fingerprint == fingerprint_of(server.file("host_ed25519.pub")));
  write_text(settings.known_hosts_path, "# no line break at the end");
  const auto add = [&] {
    return ssh::add_known_host(settings.known_hosts_path, "127.0.0.1", server.port(), *key);
  };
  CHECK(add() == ssh::trust::added);
  CHECK(add() == ssh::trust::known_before);
  CHECK(
    text_of(settings.known_hosts_path) ==
    "# no line break at the end\n[127.0.0.1]:" + std::to_string(server.port()) + " " +
      server.host_key_line() + "\n");
  ssh_rig r(settings);
  r.check_alive();
}

TEST_CASE("another key of the same host is not noted beside the first") {
  const test_sshd server;
  const auto path = server.file("fresh");
  auto key = fetch(server);
  REQUIRE(key);
  REQUIRE(ssh::add_known_host(path, "127.0.0.1", server.port(), *key));
  key->blob.back() ^= 1;
  const auto again = ssh::add_known_host(path, "127.0.0.1", server.port(), *key);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == errc::conflict);
  CHECK_THAT(again.error().what, Contains(path + ":1") && Contains("delete that line"));
  for (const char* host : {"", "two words", "a,b", "*", "|1|x|y", "#n"})
    CHECK_FALSE(ssh::add_known_host(path, host, 22, *key));
}

TEST_CASE("the key of nobody cannot be fetched") {
  auto server = std::make_unique<test_sshd>();
  server->stop_listening();
  const auto key = fetch(*server);
  REQUIRE_FALSE(key);
  CHECK_THAT(key.error().what, Contains("Connection refused"));
  CHECK_FALSE(ssh::fetch_host_key("", 22, milliseconds(100), milliseconds(100)));
}
