// Who may include what. Rule: the table in layers.cpp is the layer picture of the design; a new
// folder needs a row, and a row says why it is as it is.
#pragma once

#include "tests/tidy/finding.hpp"

namespace drover::tidy {

/// Judges the include lines of one C++ file.
findings check_layers(const source_file& file);

} // namespace drover::tidy
