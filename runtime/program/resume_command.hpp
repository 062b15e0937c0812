// `drover resume ID` of a run whose controller died: this process takes its place. Rule: the plan
// and the journal tell what was wanted, the nodes tell what is; a VM that has left the node is not
// moved again.
#pragma once

#include "runtime/program/options.hpp"

namespace drover {

/// Returns the exit code; a run whose process lives is only told to go on.
int resume_run(const options& o, const resume_options& c);

} // namespace drover
