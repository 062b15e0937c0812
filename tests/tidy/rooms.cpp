#include "tests/tidy/rooms.hpp"

#include "tests/tidy/source_text.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace drover::tidy {
namespace {

constexpr std::size_t why_letters_min = 20;

/// Folders under tests/ that mirror the tree: the mirrored folder's README speaks for them.
bool is_mirror(const std::string& folder) {
  return is_under(folder, "tests/actors") || is_under(folder, "tests/metrics") ||
         is_under(folder, "tests/runtime");
}

} // namespace

findings check_header(const source_file& file) {
  if (!has_suffix(file.path, ".hpp"))
    return {};
  const auto lines = lines_of(file.text);
  if (lines.empty() || lines.front().rfind("// ", 0) != 0)
    return {
      {file.path, 1, "header opening",
       "open with `//` lines: what it is, its rule, where its picture or test is"}};
  std::size_t after = 0;
  while (after < lines.size() && lines[after].rfind("//", 0) == 0)
    ++after;
  if (after == lines.size() || lines[after] != "#pragma once")
    return {{file.path, after + 1, "header opening", "`#pragma once` follows the opening comment"}};
  return {};
}

findings check_readmes(const std::vector<source_file>& tree) {
  std::set<std::string> with_code, with_readme;
  for (const auto& file : tree) {
    const auto folder = folder_of(file.path);
    if (
      is_code(file.path) && stem_of(file.path) != "CMakeLists" && folder != ".ci" &&
      !is_mirror(folder))
      with_code.insert(folder);
    if (has_suffix(file.path, "README.md"))
      with_readme.insert(folder);
  }
  findings all;
  for (const auto& folder : with_code)
    if (!with_readme.count(folder))
      all.push_back(
        {folder, 0, "folder readme",
         "add a README.md of a few lines: what the room is, its rule, where a change goes"});
  return all;
}

findings check_scenario(const source_file& file) {
  if (!is_under(file.path, "scenarios") || !has_suffix(file.path, ".json"))
    return {};
  const auto parsed = nlohmann::json::parse(file.text, nullptr, false);
  if (parsed.is_discarded() || !parsed.is_object())
    return {
      {file.path, 0, "scenario", "a scenario is one JSON object; this does not parse as one"}};
  const auto why = parsed.find("why");
  if (
    why == parsed.end() || !why->is_string() ||
    why->get_ref<const std::string&>().size() < why_letters_min)
    return {{file.path, 0, "scenario", "say in \"why\", in one to three sentences, what it shows"}};
  return {};
}

} // namespace drover::tidy
