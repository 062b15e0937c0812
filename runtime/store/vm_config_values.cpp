#include "runtime/store/vm_config_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

namespace drover::config_values {
namespace {

constexpr std::string_view blanks = " \t\r\f\v";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

tl::unexpected<std::string> expected(std::string what) {
  return tl::unexpected<std::string>(std::move(what));
}

/// Power of two of a size's suffix, as QEMU and Proxmox read it; -1 when it is none.
int shift_of(char suffix) {
  switch (suffix) {
  case 'b':
  case 'B':
    return 0;
  case 'k':
  case 'K':
    return 10;
  case 'm':
  case 'M':
    return 20;
  case 'g':
  case 'G':
    return 30;
  case 't':
  case 'T':
    return 40;
  default:
    return -1;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

} // namespace

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

parsed<std::vector<property>> split_properties(std::string_view value) {
  std::vector<property> out;
  std::set<std::string> seen;
  while (!value.empty()) {
    const auto end = value.find(',');
    const auto part = trimmed(value.substr(0, end));
    value.remove_prefix(end == std::string_view::npos ? value.size() : end + 1);
    if (part.empty())
      continue;
    const auto equals = part.find('=');
    const bool bare = equals == std::string_view::npos;
    property entry{bare ? "" : part.substr(0, equals), bare ? part : part.substr(equals + 1)};
    if (!bare && (entry.first.empty() || entry.second.empty()))
      return expected("'name=value' between commas");
    if (!seen.insert(entry.first).second)
      return expected(
        bare ? "one value without a name" : "the option '" + entry.first + "' only once");
    out.push_back(std::move(entry));
  }
  return out;
}

parsed<std::uint64_t> parse_number(
  std::string_view text, std::uint64_t least, std::uint64_t greatest) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < least || value > greatest)
    return expected(
      "a whole number from " + std::to_string(least) + " to " + std::to_string(greatest));
  return value;
}

parsed<bool> parse_switch(std::string_view text) {
  const auto word = lower(text);
  if (word == "1" || word == "on" || word == "yes" || word == "true")
    return true;
  if (word == "0" || word == "off" || word == "no" || word == "false")
    return false;
  return expected("1 or 0");
}

parsed<std::uint64_t> parse_size(std::string_view text, char default_unit) {
  const auto wrong = expected("a size such as 512M or 4G");
  if (text.empty() || !is_digit(text.front()))
    return wrong;
  int shift = shift_of(default_unit);
  if (!is_digit(text.back())) {
    shift = shift_of(text.back());
    text.remove_suffix(1);
  }
  double value = 0;
  const auto [end, code] =
    std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (shift < 0 || code != std::errc{} || end != text.data() + text.size())
    return wrong;
  // 2^60 is far above any guest, and every whole number below 2^53 survives in a double.
  const double bytes = std::ldexp(value, shift);
  if (bytes >= std::ldexp(1.0, 60))
    return wrong;
  return static_cast<std::uint64_t>(bytes);
}

parsed<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool escapes = c == '\\' && quote != '\'';
    if (escapes && i + 1 == text.size())
      return expected("a character after the last backslash");
    if (escapes && (quote == '\0' || text[i + 1] == '"' || text[i + 1] == '\\')) {
      word += text[++i];
      in_word = true;
    } else if (quote != '\0') {
      if (c == quote)
        quote = '\0';
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (blanks.find(c) != std::string_view::npos) {
      if (in_word)
        words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != '\0')
    return expected(std::string("a closing ") + quote);
  if (in_word)
    words.push_back(std::move(word));
  return words;
}

std::optional<std::string> find_property(
  std::string_view value, std::string_view name, std::string_view default_key) {
  const auto properties = split_properties(value);
  if (!properties)
    return std::nullopt;
  for (const auto& [key, text] : *properties)
    if ((key.empty() ? default_key : std::string_view(key)) == name)
      return text;
  return std::nullopt;
}

parsed<std::optional<std::uint64_t>> memory_in_words(const std::vector<std::string>& words) {
  std::optional<std::uint64_t> memory;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != "-m" && words[i] != "--m")
      continue;
    const auto wrong = expected("'-m SIZE' in args, such as -m 512M");
    if (i + 1 == words.size())
      return wrong;
    const auto size = find_property(words[i + 1], "size", "size");
    const auto bytes = size ? parse_size(*size, 'M') : wrong;
    if (!bytes || *bytes == 0)
      return wrong;
    // QEMU rounds the RAM size up to 8 KiB (qemu_get_ram_size in softmmu/vl.c).
    constexpr std::uint64_t grain = 8192;
    memory = (*bytes + grain - 1) / grain * grain;
  }
  return memory;
}

std::pair<std::string_view, std::optional<std::uint32_t>> split_key(std::string_view key) {
  auto end = key.size();
  while (end > 0 && is_digit(key[end - 1]))
    --end;
  const auto digits = key.substr(end);
  std::uint32_t value = 0;
  const auto code = std::from_chars(digits.data(), digits.data() + digits.size(), value).ec;
  if (digits.empty() || code != std::errc{})
    return {key, std::nullopt};
  return {key.substr(0, end), value};
}

bool is_disk_key(std::string_view key) {
  static constexpr std::array<std::string_view, 4> buses{"ide", "sata", "scsi", "virtio"};
  const auto [bus, index] = split_key(key);
  return index && std::find(buses.begin(), buses.end(), bus) != buses.end();
}

bool is_key(std::string_view key) {
  const auto letters = key.find_last_not_of("0123456789");
  if (letters == std::string_view::npos || key.front() < 'a' || key.front() > 'z')
    return false;
  const auto stem = key.substr(0, letters + 1);
  return std::all_of(stem.begin(), stem.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  });
}

} // namespace drover::config_values
