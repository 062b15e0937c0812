// Sizes as people write and read them. Rule: units are powers of 1024; a size in a file always has
// its unit, so that nobody has to guess what "2048" means.
#pragma once

#include "runtime/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace drover {

/// "2G", "512M", "2056K", "1.5G", "100B"; also "2GiB". `invalid` says what would be right.
result<std::uint64_t> parse_byte_size(std::string_view text);

/// "1.5 GiB", "2.0 MiB", "512 B": for people, rounded to a tenth.
std::string format_byte_size(std::uint64_t bytes);

} // namespace drover
