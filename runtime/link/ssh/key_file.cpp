#include "runtime/link/ssh/key_file.hpp"

#include "runtime/link/ssh/known_hosts.hpp"
#include "runtime/link/ssh/ssh_bytes.hpp"

#include <utility>

namespace drover::ssh {
namespace {

constexpr std::string_view opening = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view closing = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view magic{"openssh-key-v1\0", 15};

/// The base64 between the two lines, without its line breaks.
secret body_of(std::string_view text) {
  const auto begin = text.find(opening), end = text.find(closing);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
    return {};
  std::vector<char> body;
  body.reserve(text.size());
  for (const char c : text.substr(begin + opening.size(), end - begin - opening.size()))
    if (c != '\n' && c != '\r' && c != ' ')
      body.push_back(c);
  secret kept{std::string_view{body.data(), body.size()}};
  ::explicit_bzero(body.data(), body.size());
  return kept;
}

tl::unexpected<error> unfit(const std::string& what, const std::string& path) {
  return fail(
    errc::invalid, what + "; make one with: ssh-keygen -t ed25519 -f " + path + ".new", path);
}

} // namespace

bool is_usable_key_type(std::string_view type) {
  return !type.empty() && type.find(',') == std::string_view::npos &&
         ("," + std::string{host_key_types} + ",").find("," + std::string{type} + ",") !=
           std::string::npos;
}

std::string key_file::public_line() const { return public_type + " " + base64(public_blob); }

result<key_file> read_key_file(secret text, const std::string& path) {
  const auto body = body_of(text.view());
  if (body.view().empty())
    return unfit("the identity file is not a private key in OpenSSH's format", path);
  auto bytes = from_base64(body.view());
  if (!bytes)
    return unfit("the identity file is damaged", path);
  byte_reader reader{*bytes};
  const bool is_magic = reader.bytes(magic.size()) == magic;
  const auto cipher = reader.text();
  reader.text(); // key derivation
  reader.text(); // and its options
  const auto count = reader.number();
  const auto blob = reader.text();
  const auto type = byte_reader{blob}.text();
  key_file key;
  key.protection = cipher == "none" ? key_file::kind::plain : key_file::kind::encrypted;
  key.path = path;
  key.public_type = type;
  key.public_blob = blob;
  const bool is_sound = is_magic && reader.ok() && count == 1;
  // The private half may stand in it unencrypted.
  ::explicit_bzero(bytes->data(), bytes->size());
  if (!is_sound)
    return unfit("the identity file is damaged", path);
  if (!is_usable_key_type(key.public_type))
    return unfit(
      "a " + key.public_type + " key cannot be used: libssh2 would sign with SHA-1, which sshd " +
        "refuses since OpenSSH 8.8",
      path);
  key.text = std::move(text);
  return key;
}

} // namespace drover::ssh
