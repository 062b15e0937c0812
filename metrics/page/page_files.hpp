// The files of this folder that the program carries with it. Rule: written by CMake from the files
// themselves (CMakeLists.txt); page.cpp alone puts them together.
#pragma once

#include <string_view>

namespace drover::page_files {

extern const std::string_view page_html;
extern const std::string_view report_parts_html;
extern const std::string_view view_css;
extern const std::string_view view_js;
extern const std::string_view report_js;
extern const std::string_view live_js;

} // namespace drover::page_files
