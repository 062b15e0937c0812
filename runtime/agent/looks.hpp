// How often an agent looks again at what another node, a person or a healed partition may have
// changed. Rule: a look that waits for the other side of a pause is short at first and grows, so
// that nobody is asked in vain for long.
#pragma once

#include "runtime/base/timers.hpp"

#include <algorithm>
#include <chrono>

namespace drover {

/// Between two reads of the record, or of a source that is to run, at first and in the end.
inline constexpr nanoseconds look_pause = std::chrono::milliseconds{50};
inline constexpr nanoseconds look_pause_max = std::chrono::seconds{1};
/// How long a wait for an event goes on before everything is looked at again.
inline constexpr nanoseconds event_pause = std::chrono::milliseconds{200};

inline nanoseconds longer(nanoseconds pause) { return std::min(2 * pause, look_pause_max); }

} // namespace drover
