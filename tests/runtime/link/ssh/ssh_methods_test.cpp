// Servers with which libssh2 has nothing in common: the reason names what they ask for and the line
// that mends it.
#include "tests/runtime/link/ssh/ssh_rig.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace drover;
using namespace drover::testing;
using Catch::Contains;

/// A listener that says one thing to whoever comes, and then nothing or goodbye.
class odd_server {
public:
  enum class end { silent, goodbye };
  odd_server(std::string greeting, end how) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size);
    ::listen(fd_, 5);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, greeting = std::move(greeting), how] {
      const int client = ::accept(fd_, nullptr, nullptr);
      if (::send(client, greeting.data(), greeting.size(), MSG_NOSIGNAL) < 0)
        return;
      char byte = 0;
      while (how == end::silent && ::recv(client, &byte, 1, 0) > 0)
        continue;
      ::close(client);
    });
  }
  ~odd_server() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::uint16_t port() const { return port_; }

private:
  int fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

} // namespace

TEST_CASE("a hardened sshd is refused with the line of its sshd_config that mends it") {
  struct row {
    std::vector<std::string> key_types;
    std::string line;
    std::vector<std::string> told;
  };
  const std::vector<row> rows{
    {{"ed25519"},
     "MACs hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com",
     {"no MAC that this sshd takes (hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com)",
      "MACs +hmac-sha2-256"}},
    {{"ed25519"},
     "Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com",
     {"no cipher that this sshd takes (aes256-gcm@openssh.com,chacha20-poly1305@openssh.com)",
      "Ciphers +aes128-ctr"}},
    {{"ed25519"},
     "KexAlgorithms sntrup761x25519-sha512@openssh.com",
     {"no key exchange that this sshd takes (sntrup761x25519-sha512@openssh.com",
      "KexAlgorithms +curve25519-sha256"}},
    {{"rsa"},
     "",
     {"no host key that this sshd takes (rsa-sha2-512,rsa-sha2-256)", "ssh-keygen -A"}},
  };
  for (const auto& [key_types, line, told] : rows) {
    CAPTURE(line);
    const test_sshd server({key_types, {line}, 0});
    ssh_rig r(settings_for(server));
    const auto why = r.refusal();
    CHECK(why.code == errc::refused);
    for (const auto& text : told)
      CHECK_THAT(why.what, Contains(text));
  }
}

TEST_CASE("the line that is recommended does mend it") {
  for (const char* line :
       {"MACs +hmac-sha2-256", "Ciphers +aes128-ctr", "KexAlgorithms +curve25519-sha256"}) {
    const test_sshd server({{"ed25519"}, {line}, 0});
    ssh_rig(settings_for(server)).check_alive();
  }
}

TEST_CASE("an sshd that takes no ed25519 logins refuses the key") {
  const test_sshd server({{"ed25519"}, {"PubkeyAcceptedAlgorithms rsa-sha2-256"}, 0});
  ssh_rig r(settings_for(server));
  const auto why = r.refusal();
  CHECK(why.code == errc::refused);
  CHECK_THAT(why.what, Contains("does not accept the key"));
}

TEST_CASE("a stranger at the port is told as one") {
  const test_sshd keys;
  auto settings = settings_for(keys);
  settings.connect_within = milliseconds(500);
  settings.login_within = milliseconds(500);
  const auto reason = [&settings](std::string greeting, odd_server::end how) {
    const odd_server server(std::move(greeting), how);
    settings.port = server.port();
    ssh_rig r(settings);
    return r.refusal();
  };
  const auto goodbye = odd_server::end::goodbye, silent = odd_server::end::silent;
  CHECK_THAT(
    reason("HTTP/1.1 400 Bad\x1b[1m Request\r\n\r\n", goodbye).what,
    Contains("did not greet as an sshd does: \"HTTP/1.1 400 Bad?[1m Request\""));
  const auto busy = reason("Exceeded MaxStartups\r\n", goodbye);
  CHECK(busy.code == errc::retry);
  CHECK_THAT(busy.what, Contains("takes no more logins at once"));
  CHECK_THAT(reason("", goodbye).what, Contains("before any greeting"));
  CHECK_THAT(
    reason("SSH-2.0-x\r\n", goodbye).what, Contains("ended the connection in the SSH handshake"));
  for (const char* greeting : {"", "SSH-2.0-x\r\n", "hello"}) {
    const auto why = reason(greeting, silent);
    CHECK(why.code == errc::timeout);
    CHECK_THAT(why.what, Contains("did not end in time"));
  }
  CHECK(reason("SSH-2.0-x\r\n" + std::string(40000, '\x7f'), goodbye).code == errc::lost);
}

TEST_CASE("an address that nobody has is told") {
  const test_sshd server;
  auto settings = settings_for(server);
  settings.connect_within = milliseconds(300);
  SECTION("nobody listens") {
    settings.port = 1;
    ssh_rig r(settings);
    CHECK_THAT(r.refusal().what, Contains("cannot connect to 127.0.0.1:1: Connection refused"));
  }
  SECTION("no such name") {
    settings.host = "no such name";
    ssh_rig r(settings);
    CHECK(r.refusal().code != errc::bug);
  }
}
