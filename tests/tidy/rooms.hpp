// What every folder and every file of a kind has to have. Rule: these are promises to the reader
// who opens one file or one folder and nothing else.
#pragma once

#include "tests/tidy/finding.hpp"

#include <vector>

namespace drover::tidy {

/// A header opens with its comment, then `#pragma once`.
findings check_header(const source_file& file);
/// Every folder with code has a README.md.
findings check_readmes(const std::vector<source_file>& tree);
/// A scenario says why it exists.
findings check_scenario(const source_file& file);

} // namespace drover::tidy
