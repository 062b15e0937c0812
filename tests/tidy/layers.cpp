#include "tests/tidy/layers.hpp"

#include "tests/tidy/source_text.hpp"

#include <algorithm>
#include <optional>
#include <regex>
#include <string_view>
#include <vector>

namespace drover::tidy {
namespace {

using names = std::vector<std::string_view>;

struct layer {
  std::string_view folder;
  /// Folders or files of the project that it may include, its own folder always among them.
  names project;
  /// Libraries by the first part of their include path; std, POSIX and tl are free.
  names libraries;
};

// What both sides of an actor know: values, the codec and the ports' headers, no driver.
const names actor_project{
  "runtime/base", "runtime/wire", "runtime/link/link.hpp", "runtime/cluster/byte_size.hpp"};

/// Shells: the files in actors/ that may know CAF.
const layer shells{"actors", actor_project, {"caf"}};

/// From the bottom up; the longest folder that fits a file is its layer.
const std::vector<layer>& layers() {
  // Programs compose everything; what they hand down are values and ports.
  static const names all_parts{"actors", "metrics", "runtime"};
  static const names node_parts{
    "runtime/base", "runtime/wire", "runtime/store", "runtime/hypervisor"};
  static const std::vector<layer> table{
    {"runtime/base", {}, {}},
    {"runtime/wire", {"runtime/base"}, {"nlohmann"}},
    {"runtime/link", {"runtime/base", "runtime/wire"}, {"asio"}},
    {"runtime/link/ssh", {"runtime/base", "runtime/wire", "runtime/link"}, {"asio", "libssh2.h"}},
    {"runtime/store", {"runtime/base", "runtime/wire"}, {"nlohmann", "asio"}},
    {"runtime/hypervisor", {"runtime/base", "runtime/wire", "runtime/store"}, {"nlohmann", "asio"}},
    {"runtime/agent", node_parts, {"nlohmann", "asio"}},
    {"runtime/readiness", node_parts, {"nlohmann"}},
    {"runtime/guest", {"runtime/base"}, {}},
    {"runtime/cluster", {"runtime/base", "runtime/wire"}, {"nlohmann"}},
    {"runtime/journal", {"runtime/base", "runtime/wire"}, {"sqlite3.h"}},
    {"actors", actor_project, {"nlohmann", "fmt"}},
    {"metrics", {"runtime/base", "metrics/page"}, {"prometheus", "nlohmann", "httplib.h"}},
    {"metrics/grafana", {}, {"nlohmann"}},
    {"metrics/page", {"runtime/base"}, {"nlohmann"}},
    {"runtime/program", all_parts, {"nlohmann", "caf", "asio", "fmt", "CLI", "prometheus"}},
    {"runtime/scenario", all_parts, {"nlohmann", "caf", "asio", "fmt"}},
    {"runtime/sim", all_parts, {"nlohmann", "caf", "fmt"}},
    {"runtime/bin", all_parts, {"nlohmann", "caf", "asio", "fmt", "CLI", "prometheus"}},
    {"tests",
     all_parts,
     {"nlohmann", "caf", "asio", "fmt", "CLI", "prometheus", "catch2", "sqlite3.h"}},
  };
  return table;
}

bool is_shell(const std::string& path) {
  const auto stem = stem_of(path);
  return is_under(path, "actors") && (has_suffix(stem, "_actor") || stem.rfind("actor_", 0) == 0 ||
                                      has_suffix(stem, "protocol") || stem == "caf_compat");
}

const layer* layer_of(const std::string& path) {
  if (is_shell(path))
    return &shells;
  const layer* best = nullptr;
  for (const auto& candidate : layers())
    if (
      is_under(path, candidate.folder) && (!best || candidate.folder.size() > best->folder.size()))
      best = &candidate;
  return best;
}

bool is_any_under(std::string_view include, const names& folders) {
  return std::any_of(
    folders.begin(), folders.end(), [include](auto folder) { return is_under(include, folder); });
}

std::string listed(const names& of) {
  std::string text;
  for (const auto& name : of)
    text += (text.empty() ? "" : ", ") + std::string{name};
  return text.empty() ? "nothing else" : text;
}

/// Third-party libraries that the rule knows by their include path.
const names known_libraries{"caf", "asio",       "asio.hpp", "nlohmann",  "fmt",
                            "CLI", "prometheus", "catch2",   "libssh2.h", "sqlite3.h"};

std::optional<std::string> judge_project(const layer& of, const std::string& include) {
  if (is_under(include, of.folder) || is_any_under(include, of.project))
    return std::nullopt;
  return of.folder == "actors" && is_under(include, "runtime")
           ? "this file of actors/ may include " + listed(of.project) + ", not " + include +
               ": drivers stand behind a port, handed in by whoever composes the program"
           : std::string{of.folder} + " may include " + listed(of.project) + ", not " + include +
               ": move the code to the layer that may, or hand the value in";
}

std::optional<std::string> judge_library(const layer& of, const std::string& include) {
  const auto first = include.substr(0, include.find('/'));
  const auto library = first == "asio.hpp" ? std::string{"asio"} : first;
  const auto is_known = std::find(known_libraries.begin(), known_libraries.end(), first);
  if (
    is_known == known_libraries.end() ||
    std::find(of.libraries.begin(), of.libraries.end(), library) != of.libraries.end())
    return std::nullopt;
  if (of.folder == "actors" && library == "caf")
    return "pure halves know no CAF: only *_actor, actor_*, *protocol and caf_compat may include "
           "it";
  return std::string{of.folder} + " may use the libraries " + listed(of.libraries) + ", not " +
         library;
}

} // namespace

findings check_layers(const source_file& file) {
  if (!is_cpp(file.path))
    return {};
  const auto* of = layer_of(file.path);
  if (!of)
    return {
      {file.path, 0, "layers",
       "no layer is named for this folder: add a row to tests/tidy/layers.cpp"}};
  static const std::regex include_line{R"(^\s*#\s*include\s+([<"])([^>"]+)[>"])"};
  findings all;
  const auto lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::smatch match;
    if (!std::regex_search(lines[i], match, include_line))
      continue;
    const bool project = match[1] == "\"";
    if (project && match[2].str().find('/') == std::string::npos) {
      all.push_back(
        {file.path, i + 1, "layers",
         "name a project header from the top: \"folder/" + match[2].str() + "\""});
      continue;
    }
    const auto fault =
      project ? judge_project(*of, match[2].str()) : judge_library(*of, match[2].str());
    if (fault)
      all.push_back({file.path, i + 1, "layers", *fault});
  }
  return all;
}

} // namespace drover::tidy
