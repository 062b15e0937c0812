#include "runtime/link/ssh/key_file.hpp"

#include "runtime/link/ssh/agent_wire.hpp"
#include "runtime/link/ssh/ssh_bytes.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace drover;
using namespace drover::ssh;
using Catch::Contains;

const std::string magic{"openssh-key-v1\0", 15};

std::string public_blob(const std::string& type) { return text_bytes(type) + text_bytes("pub"); }

std::string bytes_of(const std::string& type, const std::string& cipher, std::uint32_t count = 1) {
  return magic + text_bytes(cipher) + text_bytes("kdf") + text_bytes("options") +
         number_bytes(count) + text_bytes(public_blob(type)) + text_bytes("PRIVATE");
}

std::string file_of(const std::string& bytes) {
  auto text = base64(bytes);
  for (std::size_t at = 20; at < text.size(); at += 21)
    text.insert(at, "\n");
  return "-----BEGIN OPENSSH PRIVATE KEY-----\n" + text + "\n-----END OPENSSH PRIVATE KEY-----\n";
}

result<key_file> read(const std::string& text) { return read_key_file(secret{text}, "/id"); }

} // namespace

TEST_CASE("a key file tells its public half and whether it is encrypted") {
  const auto plain = read(file_of(bytes_of("ssh-ed25519", "none")));
  REQUIRE(plain);
  CHECK(plain->protection == key_file::kind::plain);
  CHECK(plain->public_type == "ssh-ed25519");
  CHECK(plain->public_blob == public_blob("ssh-ed25519"));
  CHECK(plain->public_line() == "ssh-ed25519 " + base64(public_blob("ssh-ed25519")));
  const auto locked = read(file_of(bytes_of("ecdsa-sha2-nistp256", "aes256-ctr")));
  REQUIRE(locked);
  CHECK(locked->protection == key_file::kind::encrypted);
}

TEST_CASE("what is no usable key is refused without a word of what it holds") {
  const auto whole = bytes_of("ssh-ed25519", "none");
  for (const auto& [text, reason] : std::vector<std::pair<std::string, std::string>>{
         {"", "not a private key in OpenSSH's format"},
         {"-----BEGIN RSA PRIVATE KEY-----\nPRIVATE\n", "not a private key in OpenSSH's format"},
         {"-----END OPENSSH PRIVATE KEY----------BEGIN OPENSSH PRIVATE KEY-----",
          "not a private key"},
         {file_of("PRIVATE"), "damaged"},
         {file_of(whole.substr(0, magic.size() + 12)), "damaged"},
         {file_of(bytes_of("ssh-ed25519", "none", 2)), "damaged"},
         {file_of(bytes_of("ssh-rsa", "none")), "a ssh-rsa key cannot be used"},
         {file_of(bytes_of("", "none")), "cannot be used"}}) {
    CAPTURE(reason);
    const auto key = read(text);
    REQUIRE_FALSE(key);
    CHECK(key.error().code == errc::invalid);
    CHECK_THAT(key.error().what, Contains(reason) && Contains("ssh-keygen -t ed25519"));
    CHECK_THAT(to_string(key.error()), !Contains("PRIVATE"));
  }
}

TEST_CASE("a secret is gone from where it was moved") {
  secret one{"short"};
  const secret two = std::move(one);
  CHECK(one.view().empty());
  CHECK(std::string{one.c_str()}.empty());
  CHECK(two.view() == "short");
  CHECK(secret{}.view().empty());
}

TEST_CASE("an ssh-agent is asked in its own words") {
  CHECK(agent_list_request() == std::string("\0\0\0\1\x0b", 5));
  CHECK(
    agent_sign_request("K", "DD") == std::string("\0\0\0\x10\x0d\0\0\0\1K\0\0\0\2DD\0\0\0\0", 20));
}

TEST_CASE("of an ssh-agent's keys, the usable ones are taken in order") {
  const auto ed25519 = public_blob("ssh-ed25519"), rsa = public_blob("ssh-rsa");
  const auto answer = std::string(1, '\x0c') + number_bytes(3) + text_bytes(rsa) + text_bytes("c") +
                      text_bytes(ed25519) + text_bytes("") +
                      text_bytes(public_blob("ecdsa-sha2-nistp384")) + text_bytes("");
  const auto keys = agent_keys(answer);
  REQUIRE(keys);
  CHECK(*keys == std::vector<std::string>{ed25519, public_blob("ecdsa-sha2-nistp384")});
  for (std::size_t size = 0; size < answer.size(); ++size)
    CHECK_FALSE(agent_keys(std::string_view{answer}.substr(0, size)));
  CHECK_FALSE(agent_keys(std::string(1, '\x0c') + number_bytes(0xffffffffU)));
  CHECK_FALSE(agent_keys("\x05"));
}

TEST_CASE("an ssh-agent's signature is taken bare") {
  const auto answer =
    std::string(1, '\x0e') + text_bytes(text_bytes("ssh-ed25519") + text_bytes("signature"));
  CHECK(agent_signature(answer) == "signature");
  for (std::size_t size = 0; size < answer.size(); ++size)
    CHECK_FALSE(agent_signature(std::string_view{answer}.substr(0, size)));
  const auto refused = agent_signature("\x05");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
}
