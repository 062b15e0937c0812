// The values inside a VM's config: property strings, sizes, words, and what each known key accepts.
// Rule: pure; every check says what would be right, in Proxmox VE's own limits.
#pragma once

#include "runtime/store/vm_config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drover::config_values {

/// One part of `a,b=c`: the key is empty where the part is a bare word.
using property = std::pair<std::string, std::string>;

/// Either the value, or what would be right, as a phrase that fits after "expected".
template <class T>
using parsed = tl::expected<T, std::string>;

/// Removes blanks, tabs and carriage returns at both ends.
std::string_view trimmed(std::string_view text);

/// Splits at commas; a key must not come twice.
parsed<std::vector<property>> split_properties(std::string_view value);

/// A whole decimal number between the limits.
parsed<std::uint64_t> parse_number(
  std::string_view text, std::uint64_t least, std::uint64_t greatest);
/// 1, on, yes, true or 0, off, no, false.
parsed<bool> parse_switch(std::string_view text);
/// A number of bytes with an optional fraction and suffix; `default_unit` where there is none.
parsed<std::uint64_t> parse_size(std::string_view text, char default_unit);
/// Words as a shell splits them: quotes and backslashes, no expansion.
parsed<std::vector<std::string>> split_words(std::string_view text);

/// Value of `name` in a property string; `default_key` is the key of its bare word.
std::optional<std::string> find_property(
  std::string_view value, std::string_view name, std::string_view default_key);

/// RAM that `-m` in these words asks for, as QEMU rounds it; nullopt when there is no `-m`.
parsed<std::optional<std::uint64_t>> memory_in_words(const std::vector<std::string>& words);

parsed<disk_entry> parse_disk(std::string_view key, std::string_view value);
parsed<net_entry> parse_net(std::string_view key, std::string_view value);

/// "scsi12" -> {"scsi", 12}; the number is absent when the key has none.
std::pair<std::string_view, std::optional<std::uint32_t>> split_key(std::string_view key);
/// True for the buses that carry disks: ide, sata, scsi, virtio, each with a number.
bool is_disk_key(std::string_view key);
/// True for `[a-z][a-z_-]*[0-9]*`, the form of every key.
bool is_key(std::string_view key);

/// Empty when `value` is right for `key` or the key is not known to drover; else what would be.
std::string objection(std::string_view key, std::string_view value);

} // namespace drover::config_values
