// Commands in the fenced blocks of a README. Rule: what a reader is told to type exists: scripts
// and files in the tree, drover's sub-commands and flags in its own help.
#pragma once

#include "tests/tidy/finding.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover::tidy {

struct readme_command {
  std::string path;
  std::size_t line = 0;
  std::vector<std::string> words;
};

/// The command lines of blocks fenced as sh, bash or console, comments and prompts taken off.
std::vector<readme_command> commands_of(const source_file& readme);

/// Paths of this repository that a command names must exist in `paths`.
findings check_paths(const readme_command& command, const std::set<std::string>& paths);

/// What `drover WORDS... --help` answers, or nothing where it fails.
using help_source = std::function<std::optional<std::string>(const std::vector<std::string>&)>;

/// Follows a `drover ...` command through the help of its sub-commands.
findings check_drover(const readme_command& command, const help_source& help);

} // namespace drover::tidy
