// Judge of one beacon VM's life: decodes the beats of all its QEMU processes as one stream and
// tells whether the VM lived on without a break. Rule: pure; bytes and arrival times in, a report
// out.
//
// The frame is drawn in beacon.S. A migration ends one process and begins another between any two
// bytes, so a frame that the source left unfinished is finished by the target's first bytes:
//
//     process 1   ..[n-1][n  .        process 1 is silent from here on
//     process 2             . ][n+1]..      a switchover; its pause is from [n-1]'s last byte
//                                           to the completion of [n]
//
// Each beat is judged against the highest counter so far (modulo 2^25):
//     +1 contiguous | +k lost k-1 | not above: repeated | 1: restarted | an older process:
//     overlapped
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/time.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace drover {

/// Number of a QEMU process among those of one VM, from 1 in the order in which they came.
using beacon_process_id = strong_id<struct beacon_process_tag, std::uint32_t>;

/// The guest's own findings, sticky.
struct beacon_flags {
  bool stale_page = false;   ///< a page lost what was written to it one lap ago
  bool stale_sector = false; ///< the same on the disk
  bool disk_error = false;   ///< the disk answered with an error, or there is none
  bool operator==(const beacon_flags&) const = default;
};

/// One QEMU process of the VM.
struct beacon_process {
  beacon_process_id id;
  pid_t pid = 0;
  bool connected = true;
  std::uint64_t beats = 0;
  std::uint32_t last_counter = 0;
  mono_time first_at; ///< of its first beat; meaningless without beats
  mono_time last_at;
  bool operator==(const beacon_process&) const = default;
};

/// One process's last beat and the next one's first.
struct beacon_switchover {
  beacon_process_id from;
  beacon_process_id to;
  nanoseconds pause{};    ///< between the two beats
  bool restarted = false; ///< the guest began anew instead of going on
  mono_time at;           ///< of the new process's first beat
  bool operator==(const beacon_switchover&) const = default;
};

struct beacon_report {
  std::uint64_t beats = 0;
  /// Counters that were never seen, although later ones were.
  std::uint64_t lost = 0;
  /// Beats whose counter had been seen before: the guest went back in time.
  std::uint64_t repeated = 0;
  /// Beats of a process after a newer one had begun: two copies ran.
  std::uint64_t overlapped = 0;
  /// Times that the counter began at 1 again.
  std::uint64_t restarted = 0;
  /// Bytes that belong to no frame; a process killed within a frame leaves up to three.
  std::uint64_t torn_bytes = 0;
  beacon_flags flags;
  std::uint32_t last_counter = 0;
  mono_time last_at;             ///< of the last beat; meaningless without beats
  nanoseconds longest_silence{}; ///< between two beats, switchovers included
  std::vector<beacon_process> processes;
  std::vector<beacon_switchover> switchovers;

  /// Part of the VM's life was lived twice.
  bool ran_twice() const { return repeated + overlapped > 0; }
  /// The VM lived on as if nothing had happened.
  bool contiguous() const {
    return lost == 0 && !ran_twice() && restarted == 0 && flags == beacon_flags{};
  }
  bool operator==(const beacon_report&) const = default;
};

/// "412 beats, 2 switchovers, longest silence 48.1 ms, contiguous": one line for people.
std::string to_string(const beacon_report& report);

class beacon_stream {
public:
  /// A process has connected; it is newer than all before it. The newest process under the same
  /// pid is the same process.
  beacon_process_id add_process(pid_t pid);
  /// Its connection has ended.
  void end_process(beacon_process_id process);

  /// Bytes of one process in their order. Where two processes have bytes at the same time, the
  /// older one's come first; otherwise `at` never goes back.
  void feed(beacon_process_id process, std::string_view bytes, mono_time at);

  const beacon_report& report() const { return report_; }

private:
  /// Bytes of a frame that is not complete yet.
  struct partial_frame {
    std::array<std::uint8_t, 4> bytes{};
    std::size_t size = 0;
  };

  void take_byte(std::size_t index, std::uint8_t byte, mono_time at);
  bool inherit_partial(std::size_t index);
  void take_beat(std::size_t index, const partial_frame& frame, mono_time at);
  void judge_counter(std::uint32_t counter);
  void note_arrival(std::size_t index, std::uint64_t restarted_before, mono_time at);

  beacon_report report_;
  std::vector<partial_frame> partials_; ///< one for each process
  std::size_t newest_heard_ = 0;        ///< index of the newest process that sent a byte
  std::size_t runner_ = 0;              ///< index of the process of the last beat in sequence
};

} // namespace drover
