// Port: the event loop's clock. Rule: code above it never reads a clock or sleeps; a real loop and
// a simulated one stand behind it.
#pragma once

#include "runtime/base/time.hpp"

#include <functional>

namespace drover {

class timers {
public:
  virtual ~timers() = default;

  virtual mono_time now() const = 0;
  /// Runs `task` once on the loop's thread after `delay`; never inside this call. A task cannot be
  /// cancelled: it has to look for itself whether it is still wanted.
  virtual void after(nanoseconds delay, std::function<void()> task) = 0;
};

} // namespace drover
