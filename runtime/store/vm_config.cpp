#include "runtime/store/vm_config.hpp"

#include "runtime/base/check.hpp"
#include "runtime/store/vm_config_values.hpp"

#include <algorithm>

namespace drover {
namespace {

using config_values::trimmed;

/// A text that is cut into lines from its front; a line may lack its newline only at the end.
struct line_cutter {
  std::string_view rest;
  std::size_t number = 0;

  std::string_view next() {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    ++number;
    return line;
  }
};

tl::unexpected<error> bad_line(
  std::string_view origin, std::size_t number, const std::string& what) {
  return fail(errc::invalid, what, std::string(origin) + ":" + std::to_string(number));
}

/// `[name]` with nothing after it but blanks; Proxmox also has `[special:cloudinit]`.
bool is_section(std::string_view line) {
  const auto text = trimmed(line);
  if (text.size() < 3 || text.back() != ']')
    return false;
  const auto name = text.substr(1, text.size() - 2);
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '[' && c != ']';
  });
}

std::string shortened(std::string_view text) {
  constexpr std::size_t longest = 60;
  return text.size() <= longest ? std::string(text) : std::string(text.substr(0, longest)) + "...";
}

/// Sections are kept as they are, but a broken header would hide where the next one begins.
result<done> check_sections(line_cutter cutter, std::string_view origin) {
  while (!cutter.rest.empty()) {
    const auto line = cutter.next();
    if (!line.empty() && line.front() == '[' && !is_section(line))
      return bad_line(origin, cutter.number, "a section must be '[name]' alone on its line");
  }
  return done{};
}

} // namespace

result<vm_config> vm_config::parse(std::string text, std::string_view origin) {
  vm_config config;
  line_cutter cutter{text};
  while (!cutter.rest.empty()) {
    if (cutter.rest.front() == '[') {
      if (auto checked = check_sections(cutter, origin); !checked)
        return tl::unexpected(checked.error());
      config.sections_ = std::string(cutter.rest);
      break;
    }
    config.ends_with_newline_ = cutter.rest.find('\n') != std::string_view::npos;
    const auto raw = cutter.next();
    if (raw.find('\0') != std::string_view::npos)
      return bad_line(origin, cutter.number, "a zero byte: this is not a text file");
    line entry{std::string(raw), {}, {}};
    if (!trimmed(raw).empty() && raw.front() != '#') {
      const auto colon = raw.find(':');
      if (colon == std::string_view::npos || !config_values::is_key(raw.substr(0, colon)))
        return bad_line(
          origin, cutter.number,
          "expected 'key: value', '# comment' or '[section]', got '" + shortened(raw) + "'");
      entry.key = std::string(raw.substr(0, colon));
      entry.value = std::string(trimmed(raw.substr(colon + 1)));
      if (entry.value.empty())
        return bad_line(origin, cutter.number, "key '" + entry.key + "' has no value");
      if (auto wrong = config_values::objection(entry.key, entry.value); !wrong.empty())
        return bad_line(
          origin, cutter.number,
          entry.key + ": expected " + wrong + ", got '" + shortened(entry.value) + "'");
    }
    config.lines_.push_back(std::move(entry));
  }
  return config;
}

std::string vm_config::text() const {
  std::string out;
  for (const auto& entry : lines_)
    out += entry.text + '\n';
  if (sections_.empty() && !ends_with_newline_ && !out.empty())
    out.pop_back();
  return out + sections_;
}

std::optional<std::string> vm_config::get(std::string_view key) const {
  // Proxmox reads top down into a map, so the last line of a key is the one that counts.
  const auto found = std::find_if(
    lines_.rbegin(), lines_.rend(), [&](const line& entry) { return entry.key == key; });
  if (key.empty() || found == lines_.rend())
    return std::nullopt;
  return found->value;
}

void vm_config::set(std::string_view key, std::string_view value) {
  DROVER_CHECK(config_values::is_key(key), "a config key is [a-z][a-z_-]*[0-9]*");
  DROVER_CHECK(
    !value.empty() && trimmed(value) == value && value.find('\n') == std::string_view::npos,
    "a config value is one line without blanks around it");
  DROVER_CHECK(config_values::objection(key, value).empty(), "a config value must pass its check");
  const std::string text = std::string(key) + ": " + std::string(value);
  const auto found = std::find_if(
    lines_.rbegin(), lines_.rend(), [&](const line& entry) { return entry.key == key; });
  if (found != lines_.rend()) {
    const bool carriage_return = found->text.back() == '\r';
    found->text = carriage_return ? text + '\r' : text;
    found->value = std::string(value);
    return;
  }
  // Before the blank lines that set the first section apart, so that `remove` undoes `set`.
  auto place = lines_.end();
  while (place != lines_.begin() && trimmed(std::prev(place)->text).empty())
    --place;
  lines_.insert(place, line{text, std::string(key), std::string(value)});
}

void vm_config::remove(std::string_view key) {
  if (!key.empty())
    std::erase_if(lines_, [&](const line& entry) { return entry.key == key; });
}

} // namespace drover
