// Bytes to lines. Rule: a line ends at "\n" (a "\r" before it is taken off); a line that is too
// long or holds a NUL is an error, after which the framer stays broken: nobody can tell where the
// next message would start.
#pragma once

#include "runtime/base/error.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace drover::wire {

class line_framer {
public:
  /// `line_bytes_max` counts without the line's end.
  explicit line_framer(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  /// Calls `take` for each line that `bytes` completes; the lines before a broken one are
  /// delivered.
  result<done> feed(std::string_view bytes, const std::function<void(std::string line)>& take);

  /// Bytes of a line that has begun and not ended: not 0 at the end of input = a line was cut off.
  std::size_t pending() const { return partial_.size(); }

private:
  result<done> append(std::string_view piece);

  std::size_t line_bytes_max_;
  std::string partial_;
  std::optional<error> broken_;
};

} // namespace drover::wire
