// What an sshd offered at the start of a connection, and what of it libssh2 1.10 lacks. Rule: pure;
// libssh2 itself only says "Unable to exchange encryption keys", so the driver keeps the first
// bytes that it received and asks here.
//
// libssh2 1.10 speaks no rsa-sha2-256/512, no MAC with -etm, no gcm and no chacha20 cipher, no
// sntrup key exchange: a hardened sshd may have nothing in common with it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::ssh {

/// What one side can do of a kind, separated by commas, the best first.
struct method_offer {
  std::string key_exchanges;
  std::string host_keys;
  std::string ciphers; ///< towards us; an sshd offers the same in both directions
  std::string macs;
};

/// What a link asks for; `host_keys` is chosen per host. Safe ones only, of what 1.10 has.
extern const method_offer our_methods;

/// Enough of a connection's beginning: a banner and one packet.
inline constexpr std::size_t offer_bytes_max = 40 * 1024;

/// Nullopt when the bytes do not hold the whole offer.
std::optional<method_offer> read_offer(std::string_view first_bytes);

/// What is missing and the line of sshd_config that mends it; nullopt when something is in common.
std::optional<std::string> nothing_in_common(const method_offer& ours, const method_offer& theirs);

} // namespace drover::ssh
