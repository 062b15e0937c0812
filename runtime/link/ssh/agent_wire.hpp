// The ssh-agent's protocol, as far as a login needs it. Rule: pure; bytes in, values out.
//
//   we: u32 length, 11                      agent: 12, u32 count, (text key, text comment)*
//   we: 13, text key, text data, u32 0      agent: 14, text (text algorithm, text signature)
#pragma once

#include "runtime/base/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace drover::ssh {

/// A longer answer is no answer of an agent.
inline constexpr std::size_t agent_answer_bytes_max = 256 * 1024;

std::string agent_list_request();
std::string agent_sign_request(std::string_view public_blob, std::string_view data);

/// The keys that libssh2 1.10 can log in with, in the agent's order; `answer` without its length.
result<std::vector<std::string>> agent_keys(std::string_view answer);
/// The bare signature, as libssh2 wants it.
result<std::string> agent_signature(std::string_view answer);

} // namespace drover::ssh
