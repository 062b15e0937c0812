// How memory is copied while the guest goes on writing to it: passes over what is dirty, until the
// rest fits into the allowed downtime. Rule: pure and in whole numbers, so that it is the same on
// every machine; whoever uses it calls `advance` before anything that changes a speed.
//
//   left  = what this pass has still to send        remaining = left + dirty
//   dirty = what the guest wrote since it began     switchover: remaining <= speed * limit
#pragma once

#include "runtime/base/time.hpp"
#include "runtime/hypervisor/hypervisor.hpp"

#include <cstdint>
#include <optional>

namespace drover {

/// Above this the arithmetic would leave 64 bits: 144 Gbit/s.
inline constexpr std::uint64_t sim_speed_most = 18'000'000'000;

/// What goes over in `time`, rounded down.
std::uint64_t bytes_in(nanoseconds time, std::uint64_t bytes_per_s);
/// How long `bytes` take, rounded up; `bytes_per_s` is not 0.
nanoseconds time_for(std::uint64_t bytes, std::uint64_t bytes_per_s);

class sim_precopy {
public:
  sim_precopy() = default;
  sim_precopy(
    std::uint64_t total_bytes, std::uint64_t dirty_bytes_per_s, std::uint64_t working_set_bytes);

  /// 0 = nothing goes over.
  void set_speed(std::uint64_t bytes_per_s);
  void set_limit(std::uint32_t downtime_limit_ms);
  /// Time passes: memory is sent, and written to.
  void advance(nanoseconds time);

  bool fits_the_limit() const;
  bool is_pass_over() const { return left_ == 0; }
  /// The dirty memory becomes the next pass.
  void begin_pass();
  /// The guest writes no more: what remains is the last pass, and goes as fast as it can.
  void stop_guest();

  /// Until the limit is met or the pass is over, whichever is first, at this speed; nullopt while
  /// nothing goes over.
  std::optional<nanoseconds> next() const;
  stream_figures figures() const;

private:
  std::uint64_t remaining() const { return left_ + dirty_; }
  std::uint64_t threshold() const;

  std::uint64_t total_ = 0;
  std::uint64_t dirty_rate_ = 0;
  std::uint64_t working_set_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t dirty_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t speed_ = 0;
  std::uint32_t limit_ms_ = 0;
  std::uint32_t passes_ = 1;
  std::uint64_t measured_speed_ = 0; ///< the last one that was not 0
};

} // namespace drover
