#include "runtime/scenario/scenario_paths.hpp"

#include <algorithm>

namespace drover {

result<std::vector<std::filesystem::path>> scenario_paths(const std::filesystem::path& path) {
  std::error_code problem;
  if (!std::filesystem::is_directory(path, problem))
    return std::vector{path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{path, problem})
    if (entry.path().extension() == ".json")
      files.push_back(entry.path());
  if (problem)
    return fail(errc::invalid, path.string() + ": " + problem.message());
  if (files.empty())
    return fail(errc::invalid, path.string() + ": there is no scenario (*.json) in this folder");
  std::sort(files.begin(), files.end());
  return files;
}

} // namespace drover
