// Calls that hide an input or block: clocks, luck, sleeps, threads, locks, environment, files and
// standard streams. Rule: banned everywhere in production code but where the allow-list in bans.cpp
// gives a file or folder the right, with the reason.
#pragma once

#include "tests/tidy/finding.hpp"

#include <set>
#include <string>

namespace drover::tidy {

/// Judges one file. Every allowance that was needed is added to `used`.
findings check_bans(const source_file& file, std::set<std::string>& used);

/// Allowances that no file of the tree needs.
findings check_allowances(const std::set<std::string>& used);

/// Marks of unfinished work.
findings check_marks(const source_file& file);

} // namespace drover::tidy
