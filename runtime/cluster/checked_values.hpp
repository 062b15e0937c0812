// Values that cluster files and scenarios share, read with their rules. Rule: each takes the reader
// of its object, notes at most one error there and returns something harmless after one.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/wire/json_reader.hpp"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace drover {

/// A size with its unit; nullopt as fallback makes the field required.
std::uint64_t read_byte_size(
  wire::object_reader& from, const std::string& key,
  std::optional<std::uint64_t> fallback = std::nullopt);

/// A whole number from `least` to `most`.
std::uint32_t read_number(
  wire::object_reader& from, const std::string& key, std::uint32_t fallback, std::uint32_t least,
  std::uint32_t most);

/// One of a few words; `fallback` empty makes the field required.
std::string read_word(
  wire::object_reader& from, const std::string& key, std::string fallback,
  std::initializer_list<std::string_view> words);

/// Made absolute from `directory`, normalized; a missing field is an error without `fallback`.
std::filesystem::path read_path(
  wire::object_reader& from, const std::string& key, const std::filesystem::path& directory,
  const std::optional<std::string>& fallback = std::nullopt);

/// Why `name` cannot be a node's name; empty = it can. The rule is that of host names, so that it
/// fits into paths, addresses and labels.
std::string node_name_objection(std::string_view name);

/// The error with the file's name before its JSON path: "lab.json: /nodes/n1/memory: is missing".
error in_file(error e, const std::string& file);

} // namespace drover
