#include "runtime/base/time.hpp"

#include <ctime>

namespace drover {

mono_time monotonic_now() {
  return mono_time{
    std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())};
}

wall_time wall_now() {
  return wall_time{std::chrono::duration_cast<std::chrono::microseconds>(
    std::chrono::system_clock::now().time_since_epoch())};
}

nanoseconds processor_time_used() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + nanoseconds{used.tv_nsec};
}

} // namespace drover
