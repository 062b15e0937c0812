#include "runtime/link/ssh/agent_wire.hpp"

#include "runtime/link/ssh/key_file.hpp"
#include "runtime/link/ssh/ssh_bytes.hpp"

namespace drover::ssh {
namespace {

constexpr std::uint8_t refused = 5, list_wanted = 11, list_answer = 12, sign_wanted = 13,
                       sign_answer = 14;

std::string framed(const std::string& payload) { return text_bytes(payload); }

tl::unexpected<error> unknown_answer() {
  return fail(errc::invalid, "the ssh-agent gave an answer that is none");
}

} // namespace

std::string agent_list_request() { return framed(std::string(1, static_cast<char>(list_wanted))); }

std::string agent_sign_request(std::string_view public_blob, std::string_view data) {
  return framed(
    static_cast<char>(sign_wanted) + text_bytes(public_blob) + text_bytes(data) + number_bytes(0));
}

result<std::vector<std::string>> agent_keys(std::string_view answer) {
  byte_reader reader{answer};
  if (reader.byte() != list_answer)
    return unknown_answer();
  std::vector<std::string> keys;
  for (auto left = reader.number(); left > 0 && reader.ok(); --left) {
    const auto blob = reader.text();
    reader.text(); // its comment
    if (reader.ok() && is_usable_key_type(byte_reader{blob}.text()))
      keys.emplace_back(blob);
  }
  if (!reader.ok())
    return unknown_answer();
  return keys;
}

result<std::string> agent_signature(std::string_view answer) {
  byte_reader reader{answer};
  const auto kind = reader.byte();
  if (reader.ok() && kind == refused)
    return fail(errc::refused, "the ssh-agent refuses to sign with this key");
  byte_reader parts{reader.text()};
  parts.text(); // the algorithm, which follows from the key
  const auto signature = parts.text();
  if (kind != sign_answer || !reader.ok() || !parts.ok() || signature.empty())
    return unknown_answer();
  return std::string{signature};
}

} // namespace drover::ssh
