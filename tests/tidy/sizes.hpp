// Sizes and white space: what makes a file too long to read at once. Rule: the limits are hard; the
// aims (300 lines a file, 40 a function) are for the writer.
#pragma once

#include "tests/tidy/finding.hpp"

#include <cstddef>

namespace drover::tidy {

inline constexpr std::size_t file_lines_max = 500;
inline constexpr std::size_t function_lines_max = 70;
inline constexpr std::size_t line_columns_max = 100;

/// Lines, columns, tabs and trailing blanks of code; blanks only of prose and data.
findings check_lines(const source_file& file);
/// Functions of a C++ file, from the first line of the signature to the closing brace. A table of
/// data inside a function counts with its first and last line only: it is read row by row.
findings check_functions(const source_file& file);

} // namespace drover::tidy
