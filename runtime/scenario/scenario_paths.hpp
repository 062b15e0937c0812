// Which files `drover run` is asked for. Rule: a driver; it looks into a folder and reads no file.
#pragma once

#include "runtime/base/error.hpp"

#include <filesystem>
#include <vector>

namespace drover {

/// The file itself, or every *.json in the folder, by name.
result<std::vector<std::filesystem::path>> scenario_paths(const std::filesystem::path& path);

} // namespace drover
