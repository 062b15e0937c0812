// What a later controller needs of the command line of an evacuation, as the journal keeps it.
// Rule: pure; what cannot be read any more is as if it had not been given.
#pragma once

#include "runtime/program/options.hpp"

#include <string>

namespace drover {

/// JSON.
std::string settings_text(const evacuate_options& c);

/// `c` with what the text says.
evacuate_options with_settings(evacuate_options c, const std::string& text);

} // namespace drover
