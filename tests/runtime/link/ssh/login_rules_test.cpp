// The small pure parts of a login: pacing, quoting, bytes, and what a server offers.
#include "runtime/link/ssh/command_text.hpp"
#include "runtime/link/ssh/kex_offer.hpp"
#include "runtime/link/ssh/login_errors.hpp"
#include "runtime/link/ssh/login_gate.hpp"
#include "runtime/link/ssh/ssh_bytes.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace drover;
using namespace drover::ssh;
using Catch::Contains;

/// What an sshd sends first.
std::string beginning(const std::vector<std::string>& lists) {
  std::string payload = std::string(1, '\4') + std::string(1, '\x14') + std::string(16, 'c');
  for (const auto& list : lists)
    payload += text_bytes(list);
  return "SSH-2.0-OpenSSH_9.2\r\n" + text_bytes(payload + "pad.");
}

const std::vector<std::string> common{
  "curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256",
  "hmac-sha2-256",     "none",        "none",       "",           ""};

} // namespace

// -- pacing --------------------------------------------------------------------------------------

TEST_CASE("logins wait for their turn, and a full host holds up no other") {
  login_gate gate({3, 2});
  const auto a1 = gate.ask("a"), a2 = gate.ask("a"), a3 = gate.ask("a"), b1 = gate.ask("b");
  CHECK((a1.is_in && a2.is_in && !a3.is_in && b1.is_in));
  const auto b2 = gate.ask("b");
  CHECK_FALSE(b2.is_in); // the process is full
  CHECK(gate.leave(b1.number) == std::vector<login_gate::ticket>{b2.number});
  CHECK(gate.leave(a1.number) == std::vector<login_gate::ticket>{a3.number});
  CHECK(gate.inside() == 3);
  CHECK(gate.waiting() == 0);
}

TEST_CASE("who gives up waiting frees nothing but its place") {
  login_gate gate({2, 1});
  const auto first = gate.ask("a"), second = gate.ask("a"), third = gate.ask("a");
  CHECK(gate.leave(second.number).empty());
  CHECK(gate.leave(second.number).empty());
  CHECK(gate.leave(99).empty());
  CHECK(gate.leave(first.number) == std::vector<login_gate::ticket>{third.number});
  CHECK(gate.leave(third.number).empty());
  CHECK(gate.inside() == 0);
}

TEST_CASE("one that leaves may let in several") {
  login_gate gate({3, 3});
  std::vector<login_gate::ticket> in;
  for (int n = 0; n < 3; ++n)
    in.push_back(gate.ask("a").number);
  const auto b = gate.ask("b"), a = gate.ask("a");
  CHECK(gate.leave(in[0]) == std::vector<login_gate::ticket>{b.number});
  CHECK(gate.leave(b.number) == std::vector<login_gate::ticket>{a.number});
}

// -- the command ---------------------------------------------------------------------------------

TEST_CASE("a command is quoted for the far side's shell") {
  using words = std::vector<std::string>;
  CHECK(command_text(words{"drover-agent", "--stdio"}) == "drover-agent --stdio");
  CHECK(command_text(words{"a b", "", "$(x)", "it's", "*"}) == "'a b' '' '$(x)' 'it'\\''s' '*'");
  CHECK(command_text(words{"/run/drover:1", "a=b"}) == "/run/drover:1 'a=b'");
  CHECK_FALSE(command_text(words{}));
  CHECK_FALSE(command_text(words{""}));
  CHECK_FALSE(command_text(words{"a", std::string(1, '\0')}));
}

// -- bytes ---------------------------------------------------------------------------------------

TEST_CASE("base64 is whole and padded") {
  for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
         {"", ""},
         {"f", "Zg=="},
         {"fo", "Zm8="},
         {"foo", "Zm9v"},
         {"foob", "Zm9vYg=="},
         {std::string("\0\xff\xfe", 3), "AP/+"}}) {
    CHECK(base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
  for (const char* text : {"Z", "Zg=", "Z===", "Zg==Zg==", "Zm9v\n", "Z g=", "Zg=a", "===="})
    CHECK_FALSE(from_base64(text));
}

TEST_CASE("a reader never reads past its end") {
  const auto bytes = text_bytes("abc");
  byte_reader reader{bytes};
  CHECK(reader.text() == "abc");
  CHECK(reader.ok());
  CHECK(reader.byte() == 0);
  CHECK_FALSE(reader.ok());
  const std::string lie = number_bytes(0xffffffffU) + "abc";
  byte_reader cut{lie};
  CHECK(cut.text().empty());
  CHECK_FALSE(cut.ok());
  CHECK(cut.number() == 0);
}

TEST_CASE("what a stranger sends is made fit for a log") {
  CHECK(plain_text("a\x1b[1m\n\xff", 10) == "a?[1m??");
  CHECK(plain_text("abcdef", 3) == "abc...");
}

// -- what an sshd offers -------------------------------------------------------------------------

TEST_CASE("an sshd's offer is read from its first bytes") {
  const auto bytes = "Welcome\r\n" + beginning(common) + "more";
  const auto offer = read_offer(bytes);
  REQUIRE(offer);
  CHECK(offer->key_exchanges == "curve25519-sha256");
  CHECK(offer->host_keys == "ssh-ed25519");
  CHECK(offer->ciphers == "aes128-ctr");
  CHECK(offer->macs == "hmac-sha2-256");
  CHECK_FALSE(nothing_in_common(our_methods, *offer));
  // Cut off anywhere, it is no offer, and never more than there is.
  const auto whole = beginning(common);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(read_offer(std::string_view{whole}.substr(0, size)));
  auto other = whole;
  other[whole.find('\x14')] = '\x15';
  CHECK_FALSE(read_offer(other));
}

TEST_CASE("what is missing is named with the line that mends it") {
  struct row {
    std::vector<std::size_t> lists;
    const char* offered;
    const char* mends;
  };
  for (const auto& [lists, offered, mends] : std::vector<row>{
         {{0}, "sntrup761x25519-sha512@openssh.com", "KexAlgorithms +curve25519-sha256"},
         {{1}, "rsa-sha2-512,rsa-sha2-256", "ssh-keygen -A"},
         {{2, 3}, "aes128-gcm@openssh.com", "Ciphers +aes128-ctr"},
         {{4, 5}, "hmac-sha2-256-etm@openssh.com", "MACs +hmac-sha2-256"}}) {
    auto offer = common;
    for (const auto n : lists)
      offer[n] = offered;
    const auto read = read_offer(beginning(offer));
    REQUIRE(read);
    const auto missing = nothing_in_common(our_methods, *read);
    REQUIRE(missing);
    CHECK_THAT(*missing, Contains(offered) && Contains(mends));
  }
}

TEST_CASE("a login's error never holds what a terminal would obey") {
  const std::string greeting = "hello \x1b[2J\r\n";
  const auto odd = handshake_error({errc::lost, "x", ""}, {"n1", "h:22", greeting, ""});
  CHECK_THAT(odd.what, Contains("\"hello ?[2J\""));
  auto lists = common;
  lists[5] = "\x1b[2J";
  const auto bytes = beginning(lists);
  const auto evil =
    handshake_error({errc::lost, "x", ""}, {"n1", "h:22", bytes, our_methods.host_keys});
  CHECK(evil.code == errc::refused);
  CHECK(to_string(evil).find('\x1b') == std::string::npos);
}
