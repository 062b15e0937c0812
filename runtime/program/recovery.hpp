// A recovery on a fleet: asks, carries out and looks again as actors/recovery decides, and tells
// it. Rule: nothing is decided here; how a report looks is pure.
#pragma once

#include "actors/recovery/recovery_rounds.hpp"
#include "runtime/program/fleet.hpp"

#include <string>

namespace drover {

/// Blocks until all is at rest or told.
recovery_report recover(fleet& nodes, operator_words words, recovery_mode mode);

/// For people; ends with a newline.
std::string recovery_text(const recovery_report& report);
std::string recovery_json(const recovery_report& report);
/// Of a recovery that nobody asked for, before an evacuation: only what was done or needs somebody;
/// empty = nothing.
std::string recovery_notice(const recovery_report& report);

} // namespace drover
