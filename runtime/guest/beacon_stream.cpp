#include "runtime/guest/beacon_stream.hpp"

#include "runtime/base/check.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace drover {

namespace {

constexpr std::uint8_t frame_start = 0x80;
constexpr std::uint32_t counter_mask = (1U << 25) - 1;

std::uint32_t counter_of(const std::array<std::uint8_t, 4>& frame) {
  return (frame[0] & 0x0FU) << 21 | std::uint32_t{frame[1]} << 14 | std::uint32_t{frame[2]} << 7 |
         frame[3];
}

void merge_flags(beacon_flags& flags, std::uint8_t first) {
  flags.stale_page = flags.stale_page || (first & 0x10) != 0;
  flags.stale_sector = flags.stale_sector || (first & 0x20) != 0;
  flags.disk_error = flags.disk_error || (first & 0x40) != 0;
}

std::string in_ms(nanoseconds d) {
  const auto tenths = (d.count() + 50'000) / 100'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

} // namespace

std::string to_string(const beacon_report& report) {
  std::string out = std::to_string(report.beats) + " beats, " +
                    std::to_string(report.switchovers.size()) + " switchovers, longest silence " +
                    in_ms(report.longest_silence);
  const std::pair<std::uint64_t, const char*> findings[] = {
    {report.lost, "lost"},
    {report.repeated, "repeated"},
    {report.overlapped, "of two copies at once"},
    {report.restarted, "times restarted"}};
  for (const auto& [count, what] : findings)
    if (count > 0)
      out += ", " + std::to_string(count) + " " + what;
  if (report.flags.stale_page)
    out += ", memory went stale";
  if (report.flags.stale_sector)
    out += ", disk went stale";
  if (report.flags.disk_error)
    out += ", disk error";
  return report.contiguous() ? out + ", contiguous" : out;
}

beacon_process_id beacon_stream::add_process(pid_t pid) {
  auto& processes = report_.processes;
  if (!processes.empty() && processes.back().pid == pid) {
    processes.back().connected = true;
    return processes.back().id;
  }
  beacon_process process;
  process.id = beacon_process_id{static_cast<std::uint32_t>(processes.size() + 1)};
  process.pid = pid;
  processes.push_back(process);
  partials_.emplace_back();
  return process.id;
}

void beacon_stream::end_process(beacon_process_id process) {
  DROVER_CHECK(
    process.value >= 1 && process.value <= report_.processes.size(), "the process was added");
  report_.processes[process.value - 1].connected = false;
}

void beacon_stream::feed(beacon_process_id process, std::string_view bytes, mono_time at) {
  DROVER_CHECK(
    process.value >= 1 && process.value <= report_.processes.size(), "the process was added");
  for (const char byte : bytes)
    take_byte(process.value - 1, static_cast<std::uint8_t>(byte), at);
}

void beacon_stream::take_byte(std::size_t index, std::uint8_t byte, mono_time at) {
  auto& partial = partials_[index];
  if (byte & frame_start) {
    report_.torn_bytes += partial.size;
    partial = {};
  } else if (partial.size == 0 && !inherit_partial(index)) {
    // The rest of a frame without its beginning. In an old process it is a sign of life: a newer
    // one has already finished that frame.
    ++report_.torn_bytes;
    if (index < newest_heard_)
      ++report_.overlapped;
    return;
  }
  newest_heard_ = std::max(newest_heard_, index);
  partial.bytes[partial.size++] = byte;
  if (partial.size < partial.bytes.size())
    return;
  const auto frame = std::exchange(partial, {});
  take_beat(index, frame, at);
}

bool beacon_stream::inherit_partial(std::size_t index) {
  // The state came from the process that ran last, so only its unfinished frame can be meant, and
  // only by a process that has sent nothing yet.
  if (index <= newest_heard_ || partials_[newest_heard_].size == 0)
    return false;
  partials_[index] = std::exchange(partials_[newest_heard_], {});
  return true;
}

void beacon_stream::take_beat(std::size_t index, const partial_frame& frame, mono_time at) {
  const auto counter = counter_of(frame.bytes);
  merge_flags(report_.flags, frame.bytes[0]);
  const auto restarted_before = report_.restarted;
  const bool old_process = index < newest_heard_;
  if (old_process)
    ++report_.overlapped;
  else
    judge_counter(counter);

  auto& process = report_.processes[index];
  process.last_counter = counter;
  if (process.beats++ == 0)
    process.first_at = at;
  process.last_at = at;
  if (!old_process)
    note_arrival(index, restarted_before, at);
  ++report_.beats;
}

void beacon_stream::judge_counter(std::uint32_t counter) {
  const auto ahead = (counter - report_.last_counter) & counter_mask;
  if (report_.beats == 0 || ahead == 1) {
    report_.last_counter = counter;
  } else if (counter == 1) {
    ++report_.restarted;
    report_.last_counter = counter;
  } else if (ahead == 0 || ahead > counter_mask / 2) {
    ++report_.repeated;
  } else {
    report_.lost += ahead - 1;
    report_.last_counter = counter;
  }
}

void beacon_stream::note_arrival(std::size_t index, std::uint64_t restarted_before, mono_time at) {
  if (report_.beats > 0) {
    const auto silence = at - report_.last_at;
    report_.longest_silence = std::max(report_.longest_silence, silence);
    if (index != runner_)
      report_.switchovers.push_back(
        {report_.processes[runner_].id, report_.processes[index].id, silence,
         report_.restarted != restarted_before, at});
  }
  runner_ = index;
  report_.last_at = at;
}

} // namespace drover
