// `drover report`: what past evacuations and migrations were like. Rule: it reads what runs have
// left, asks no node, and changes nothing but the report's files.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/program/options.hpp"

#include <string>

namespace drover {

/// The list of past runs, or one of them as report files; what is to be printed.
result<std::string> report_past_run(const options& o, const report_options& c);

} // namespace drover
