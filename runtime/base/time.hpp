// Points in time. Rule: pure code takes `now` as an argument; only drivers, shells and programs
// call the two functions at the end.
#pragma once

#include <chrono>
#include <cstdint>

namespace drover {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// CLOCK_MONOTONIC: the same for every process of one host, meaningless on another.
struct monotonic_tag {
  using duration = nanoseconds;
};
using mono_time = std::chrono::time_point<monotonic_tag, nanoseconds>;

/// The host's wall clock, in the resolution of QMP event time stamps.
struct wall_tag {
  using duration = std::chrono::microseconds;
};
using wall_time = std::chrono::time_point<wall_tag, std::chrono::microseconds>;

inline double seconds(nanoseconds d) { return std::chrono::duration<double>(d).count(); }

mono_time monotonic_now();
wall_time wall_now();
/// For how long this process has kept processors busy.
nanoseconds processor_time_used();

} // namespace drover
