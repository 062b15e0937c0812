// The source tree as the rules see it. Rule: the only file of this room that touches the disk.
#pragma once

#include "tests/tidy/finding.hpp"

#include <string>
#include <vector>

namespace drover::tidy {

/// Every text file of the checkout, sorted by path; what builds leave behind is skipped.
std::vector<source_file> load_tree(const std::string& root);

struct command_outcome {
  int exit_code = -1;
  std::string output; ///< both streams
};

/// Runs a shell command with a time limit of 60 s and no input.
command_outcome run_command(const std::string& command);

} // namespace drover::tidy
