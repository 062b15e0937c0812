#include "runtime/link/ssh/ssh_bytes.hpp"

#include <utility>

namespace drover::ssh {
namespace {

constexpr std::string_view letters =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

std::string_view byte_reader::bytes(std::size_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    return {};
  }
  const auto taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::uint8_t byte_reader::byte() {
  const auto taken = bytes(1);
  return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
}

std::uint32_t byte_reader::number() {
  std::uint32_t value = 0;
  for (const char c : bytes(4))
    value = value << 8U | static_cast<std::uint8_t>(c);
  return value;
}

std::string_view byte_reader::text() { return bytes(number()); }

std::string number_bytes(std::uint32_t number) {
  return {
    static_cast<char>(number >> 24U), static_cast<char>(number >> 16U),
    static_cast<char>(number >> 8U), static_cast<char>(number)};
}

std::string text_bytes(std::string_view text) {
  return number_bytes(static_cast<std::uint32_t>(text.size())) + std::string{text};
}

std::string base64(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto piece = bytes.substr(at, 3);
    std::uint32_t value = 0;
    for (std::size_t n = 0; n < 3; ++n)
      value = value << 8U | (n < piece.size() ? static_cast<std::uint8_t>(piece[n]) : 0U);
    for (std::size_t n = 0; n < 4; ++n)
      text += n <= piece.size() ? letters[value >> (18 - 6 * n) & 63U] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::uint32_t value = 0;
    std::size_t missing = 0;
    for (const char c : text.substr(at, 4)) {
      const auto letter = letters.find(c);
      if (c == '=' ? at + 4 != text.size() : letter == std::string_view::npos || missing > 0)
        return std::nullopt;
      missing += c == '=' ? 1 : 0;
      value = value << 6U | (c == '=' ? 0U : static_cast<std::uint32_t>(letter));
    }
    if (missing > 2)
      return std::nullopt;
    for (std::size_t n = 0; n < 3 - missing; ++n)
      bytes += static_cast<char>(value >> (16 - 8 * n));
  }
  return bytes;
}

std::string plain_text(std::string_view text, std::size_t chars_max) {
  std::string plain{text.substr(0, chars_max)};
  for (char& c : plain)
    c = c >= ' ' && c <= '~' ? c : '?';
  return plain + (text.size() > chars_max ? "..." : "");
}

} // namespace drover::ssh
