#include "runtime/link/ssh/kex_offer.hpp"

#include "runtime/link/ssh/ssh_bytes.hpp"

#include <algorithm>

namespace drover::ssh {
namespace {

constexpr std::uint8_t message_kexinit = 20;
constexpr std::size_t cookie_bytes = 16;
/// Of an sshd's list in an error.
constexpr std::size_t list_chars_max = 200;

/// After the banner, before which a server may send other lines; nullopt when there is none yet.
std::optional<std::string_view> after_banner(std::string_view bytes) {
  while (true) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos)
      return std::nullopt;
    const bool banner = bytes.starts_with("SSH-");
    bytes.remove_prefix(end + 1);
    if (banner)
      return bytes;
  }
}

bool has_common(std::string_view ours, std::string_view theirs) {
  const auto padded = "," + std::string{theirs} + ",";
  while (!ours.empty()) {
    const auto end = std::min(ours.find(','), ours.size());
    if (padded.find("," + std::string{ours.substr(0, end)} + ",") != std::string::npos)
      return true;
    ours.remove_prefix(std::min(end + 1, ours.size()));
  }
  return false;
}

struct kind {
  const char* name;
  std::string method_offer::*list;
  const char* remedy;
};

const std::array<kind, 4> kinds{{
  {"key exchange", &method_offer::key_exchanges, "KexAlgorithms +curve25519-sha256"},
  {"host key", &method_offer::host_keys,
   "HostKey /etc/ssh/ssh_host_ed25519_key (ssh-keygen -A makes the file); after that: drover node "
   "trust"},
  {"cipher", &method_offer::ciphers, "Ciphers +aes128-ctr"},
  {"MAC", &method_offer::macs, "MACs +hmac-sha2-256"},
}};

} // namespace

const method_offer our_methods{
  "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
  "ecdh-sha2-nistp521,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
  "diffie-hellman-group14-sha256,diffie-hellman-group-exchange-sha256",
  "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
  "aes128-ctr,aes256-ctr,aes192-ctr", "hmac-sha2-256,hmac-sha2-512"};

std::optional<method_offer> read_offer(std::string_view first_bytes) {
  const auto packets = after_banner(first_bytes);
  if (!packets)
    return std::nullopt;
  byte_reader packet{*packets};
  byte_reader reader{packet.text()};
  reader.byte(); // how much padding follows the lists
  if (reader.byte() != message_kexinit)
    return std::nullopt;
  reader.bytes(cookie_bytes);
  method_offer offer;
  offer.key_exchanges = reader.text();
  offer.host_keys = reader.text();
  reader.text(); // ciphers away from us
  offer.ciphers = reader.text();
  reader.text(); // MACs away from us
  offer.macs = reader.text();
  if (!packet.ok() || !reader.ok())
    return std::nullopt;
  return offer;
}

std::optional<std::string> nothing_in_common(const method_offer& ours, const method_offer& theirs) {
  for (const auto& [name, list, remedy] : kinds)
    if (!has_common(ours.*list, theirs.*list))
      return "libssh2 knows no " + std::string{name} + " that this sshd takes (" +
             plain_text(theirs.*list, list_chars_max) +
             "); in its sshd_config, this line mends it: " + remedy;
  return std::nullopt;
}

} // namespace drover::ssh
