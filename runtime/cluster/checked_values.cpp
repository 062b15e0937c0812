#include "runtime/cluster/checked_values.hpp"

#include "runtime/cluster/byte_size.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace drover {
namespace {

constexpr std::size_t node_name_max = 63;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

} // namespace

std::uint64_t read_byte_size(
  wire::object_reader& from, const std::string& key, std::optional<std::uint64_t> fallback) {
  const auto* field = from.look(key);
  if (!field) {
    if (!fallback)
      from.refuse(key, "is missing: a size with its unit, like \"16G\"");
    return fallback.value_or(0);
  }
  if (!field->is_string()) {
    from.refuse(
      key, "expected a size with its unit in quotes, like \"16G\", found " +
             std::string(field->is_number() ? field->dump() : "something else"));
    return 0;
  }
  const auto size = parse_byte_size(field->get_ref<const std::string&>());
  if (!size)
    from.refuse(key, size.error().what);
  return size.value_or(0);
}

std::uint32_t read_number(
  wire::object_reader& from, const std::string& key, std::uint32_t fallback, std::uint32_t least,
  std::uint32_t most) {
  if (!from.look(key))
    return fallback;
  const auto value = from.optional<std::uint32_t>(key, least);
  if (value >= least && value <= most)
    return value;
  from.refuse(
    key, "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
           ", found " + std::to_string(value));
  return fallback;
}

std::string read_word(
  wire::object_reader& from, const std::string& key, std::string fallback,
  std::initializer_list<std::string_view> words) {
  auto value = fallback.empty() ? from.required<std::string>(key)
                                : from.optional<std::string>(key, std::move(fallback));
  if (std::find(words.begin(), words.end(), value) != words.end())
    return value;
  std::string known;
  for (const auto& word : words)
    known += (known.empty() ? "" : ", ") + std::string(word);
  from.refuse(key, "expected one of " + known + ", found \"" + value + "\"");
  return std::string(*words.begin());
}

std::filesystem::path read_path(
  wire::object_reader& from, const std::string& key, const std::filesystem::path& directory,
  const std::optional<std::string>& fallback) {
  const auto text =
    fallback ? from.optional<std::string>(key, *fallback) : from.required<std::string>(key);
  if (text.empty() || text.find('\0') != std::string::npos) {
    from.refuse(key, "expected a path");
    return directory;
  }
  auto path = (directory / text).lexically_normal();
  // "/run/n1/" and "/run/n1" are one place.
  return path.has_filename() || !path.has_relative_path() ? path : path.parent_path();
}

std::string node_name_objection(std::string_view name) {
  const bool fits =
    !name.empty() && name.size() <= node_name_max && is_letter_or_digit(name.front()) &&
    is_letter_or_digit(name.back()) &&
    std::all_of(name.begin(), name.end(), [](char c) { return is_letter_or_digit(c) || c == '-'; });
  return fits ? ""
              : "a node's name has 1 to 63 letters, digits and inner hyphens, like a host's name";
}

error in_file(error e, const std::string& file) {
  e.what = file + ": " + e.what;
  return e;
}

} // namespace drover
