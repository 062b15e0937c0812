// Bounds of the wire that both ends keep.
#pragma once

#include <cstddef>

namespace drover {

/// A longer line closes the link: nothing that drover says is near it.
inline constexpr std::size_t line_bytes_max = 1024 * 1024;

} // namespace drover
