// Lines, and C++ text split into code and comments. Rule: both views keep every line break, so that
// a line number means the same in each of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace drover::tidy {

std::vector<std::string> lines_of(std::string_view text);

struct views {
  std::string code;     ///< comments, strings and characters blanked
  std::string comments; ///< everything else blanked
};

views split(std::string_view text);

bool has_suffix(std::string_view path, std::string_view suffix);
/// .hpp or .cpp
bool is_cpp(std::string_view path);
/// What a program, a build or a test is made of; not prose, not data.
bool is_code(std::string_view path);
std::string folder_of(std::string_view path);
/// "actors/locks/lock_table.cpp" -> "lock_table"
std::string stem_of(std::string_view path);
/// True for the folder itself and everything below it; a path with an extension means that file.
bool is_under(std::string_view path, std::string_view folder);
std::string trim(std::string_view text);

} // namespace drover::tidy
