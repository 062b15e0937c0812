#include "runtime/cluster/byte_size.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

namespace drover {
namespace {

constexpr std::string_view unit_letters = "BKMGT";

/// Digits before and after the point, as one number of `scale`-ths.
struct decimal {
  std::uint64_t value = 0;
  std::uint64_t scale = 1;
};

constexpr std::size_t digits_max = 12;

/// Takes the leading number off `text`; false when there is none or it is too long.
bool take_decimal(std::string_view& text, decimal& number) {
  std::size_t digits = 0;
  bool after_point = false;
  bool last_is_digit = false;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '.' && !after_point && digits > 0) {
      after_point = true;
      last_is_digit = false;
    } else if (c >= '0' && c <= '9') {
      if (++digits > digits_max)
        return false;
      number.value = number.value * 10 + static_cast<std::uint64_t>(c - '0');
      number.scale *= after_point ? 10 : 1;
      last_is_digit = true;
    } else {
      break;
    }
    text.remove_prefix(1);
  }
  return last_is_digit;
}

} // namespace

result<std::uint64_t> parse_byte_size(std::string_view text) {
  const auto bad = [] {
    return fail(errc::invalid, "expected a size with its unit (B, K, M, G, T), like 2G or 512M");
  };
  std::string_view rest = text;
  decimal number;
  if (!take_decimal(rest, number) || rest.empty())
    return bad();
  const auto power = unit_letters.find(rest.front());
  if (power == std::string_view::npos)
    return bad();
  rest.remove_prefix(1);
  if (!rest.empty() && (power == 0 || rest != "iB"))
    return bad();
  const std::uint64_t unit = 1ULL << (10 * power);
  if (number.value > std::numeric_limits<std::uint64_t>::max() / unit)
    return fail(errc::invalid, "the size is too large");
  return number.value * unit / number.scale;
}

std::string format_byte_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> units{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024)
    return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would round to "1024.0", which is one of the next unit.
  while (value >= 1023.95 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units.at(unit));
  return text.data();
}

} // namespace drover
