#include "runtime/link/ssh/login_errors.hpp"

#include "runtime/link/ssh/kex_offer.hpp"
#include "runtime/link/ssh/ssh_bytes.hpp"

#include <utility>

namespace drover::ssh {
namespace {

/// Of what a peer sent that is no SSH.
constexpr std::size_t greeting_chars_max = 80;
constexpr std::size_t list_chars_max = 200;

/// What sshd says to whom it drops.
constexpr std::string_view busy_greeting = "Exceeded MaxStartups";

std::string first_line(std::string_view bytes) {
  return plain_text(bytes.substr(0, bytes.find_first_of("\r\n")), greeting_chars_max);
}

} // namespace

error handshake_error(error why, const handshake_facts& of) {
  const auto& peer = of.peer;
  if (const auto theirs = read_offer(of.first_bytes)) {
    if (const auto missing = nothing_in_common(our_methods, *theirs))
      return {errc::refused, peer + ": " + *missing, why.context};
    auto asked = our_methods;
    asked.host_keys = of.host_key_types_asked;
    if (nothing_in_common(asked, *theirs))
      return {
        errc::refused,
        peer + " has no longer the host key by which known_hosts knows it. If you know why, run: " +
          "drover node trust " + of.node,
        "known: " + asked.host_keys + "; it has: " + plain_text(theirs->host_keys, list_chars_max)};
    return {errc::lost, "the SSH handshake with " + peer + " failed", why.context};
  }
  if (of.first_bytes.starts_with("SSH-"))
    return {errc::lost, peer + " ended the connection in the SSH handshake", why.context};
  if (of.first_bytes.starts_with(busy_greeting))
    return {
      errc::retry, peer + " takes no more logins at once (MaxStartups of its sshd_config)",
      why.context};
  if (!of.first_bytes.empty())
    return {
      errc::lost, peer + " did not greet as an sshd does: \"" + first_line(of.first_bytes) + "\"",
      why.context};
  return {
    errc::lost,
    peer + " ended the connection before any greeting (its sshd is about to end, or " +
      "something in between forbids it)",
    why.context};
}

error login_error(error why, const login_names& who) {
  const auto account = who.user + "@" + who.host;
  if (why.code == errc::refused && who.agent_keys > 0)
    return {
      errc::refused,
      "sshd of " + account + " accepts no key of the ssh-agent (" + std::to_string(who.agent_keys) +
        " tried); put one there with: ssh-copy-id -p " + std::to_string(who.port) + " " + account,
      who.identity_file};
  if (why.code == errc::refused)
    return {
      errc::refused,
      "sshd of " + account + " does not accept the key; put it there with: ssh-copy-id -i " +
        who.identity_file + ".pub -p " + std::to_string(who.port) + " " + account,
      who.identity_file};
  if (why.code == errc::invalid)
    return {errc::refused, why.what, who.identity_file};
  return {why.code, "the login as " + account + " failed: " + why.what, why.context};
}

} // namespace drover::ssh
