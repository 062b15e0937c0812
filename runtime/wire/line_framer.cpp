#include "runtime/wire/line_framer.hpp"

#include <utility>

namespace drover::wire {

result<done> line_framer::append(std::string_view piece) {
  if (piece.find('\0') != std::string_view::npos)
    broken_ = error{errc::invalid, "a line with a NUL byte", {}};
  // One byte more may be a carriage return that is taken off later.
  else if (partial_.size() + piece.size() > line_bytes_max_ + 1)
    broken_ =
      error{errc::invalid, "a line of more than " + std::to_string(line_bytes_max_) + " bytes", {}};
  if (broken_)
    return tl::unexpected<error>(*broken_);
  partial_ += piece;
  return done{};
}

result<done> line_framer::feed(
  std::string_view bytes, const std::function<void(std::string line)>& take) {
  if (broken_)
    return tl::unexpected<error>(*broken_);
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    if (const auto ok = append(bytes.substr(0, end)); !ok)
      return ok;
    if (end == std::string_view::npos)
      break;
    bytes.remove_prefix(end + 1);
    std::string line = std::exchange(partial_, {});
    if (line.ends_with('\r'))
      line.pop_back();
    if (line.size() > line_bytes_max_) {
      broken_ = error{
        errc::invalid, "a line of more than " + std::to_string(line_bytes_max_) + " bytes", {}};
      return tl::unexpected<error>(*broken_);
    }
    take(std::move(line));
  }
  return done{};
}

} // namespace drover::wire
