// The commands that move VMs: this process is the controller of the run. Rule: survey, plan, write
// down, carry out, report, in that order; nothing is touched before the plan is on the disk.
#pragma once

#include "runtime/program/options.hpp"

namespace drover {

/// These return the exit code.
int migrate_vm(const options& o, const migrate_options& c);
int evacuate_node(const options& o, const evacuate_options& c);

} // namespace drover
