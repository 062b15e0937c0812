#include "tests/tidy/tree.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>

namespace drover::tidy {
namespace {

namespace fs = std::filesystem;

bool is_skipped(const fs::path& folder) {
  const auto name = folder.filename().string();
  return name == ".git" || name == ".cache" || name.rfind("build", 0) == 0;
}

std::string read(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

std::vector<source_file> load_tree(const std::string& root) {
  std::vector<source_file> tree;
  for (auto at = fs::recursive_directory_iterator{root}; at != fs::end(at); ++at) {
    if (at->is_directory() && is_skipped(at->path())) {
      at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file())
      continue;
    auto text = read(at->path());
    if (text.find('\0') == text.npos)
      tree.push_back({fs::relative(at->path(), root).generic_string(), std::move(text)});
  }
  std::sort(tree.begin(), tree.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return tree;
}

command_outcome run_command(const std::string& command) {
  command_outcome outcome;
  auto* pipe = popen(("{ timeout 60 " + command + "; } 2>&1 < /dev/null").c_str(), "r");
  if (!pipe)
    return outcome;
  std::array<char, 4096> buffer{};
  while (const auto n = fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), n);
  outcome.exit_code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

} // namespace drover::tidy
