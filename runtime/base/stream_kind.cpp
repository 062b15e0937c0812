#include "runtime/base/stream_kind.hpp"

namespace drover {

std::string_view to_string(stream_kind k) { return k == stream_kind::plain ? "plain" : "tls"; }

std::optional<stream_kind> stream_kind_from_string(std::string_view text) {
  for (const auto one : {stream_kind::tls, stream_kind::plain})
    if (to_string(one) == text)
      return one;
  return std::nullopt;
}

} // namespace drover
