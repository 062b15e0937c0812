// Base64 as etcd's gateway writes it (RFC 4648, padded), by libcrypto. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace drover::etcd {

std::string to_base64(std::string_view plain);
/// nullopt where it is none.
std::optional<std::string> from_base64(std::string_view text);

} // namespace drover::etcd
