// A trace event as one line of NDJSON: {"at":<wall clock, us>,"event":"phase_changed",<fields>}.
// Rule: pure text; the fields keep the order of their struct and values look as on the wire.
#pragma once

#include "runtime/base/trace.hpp"

#include <string>

namespace drover::wire {

/// Without the newline.
std::string to_ndjson(const trace_event& event);

} // namespace drover::wire
