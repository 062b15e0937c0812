// What an agent says of a QEMU itself: how it stands, and what it really is. Rule: plain values,
// asked of the QEMU that runs and never taken from its config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::wire {

/// How a QEMU stands, as the agent reports it. `absent` = no QEMU process on this node.
enum class run_state : std::uint8_t {
  absent,
  running,
  paused,
  /// Waits for a migration stream, or has loaded it and waits for `take_over`.
  incoming,
  /// The source after a completed migration: continues only when told to.
  postmigrate,
  /// A state that this version does not know, or an internal error of QEMU.
  other,
};

std::string_view to_string(run_state s);
std::optional<run_state> run_state_from_string(std::string_view text);

/// What the running QEMU really is; compared between source and target before the stream starts,
/// because QEMU itself accepts several of these differences silently.
struct machine_facts {
  std::string machine; ///< canonical, e.g. "pc-i440fx-7.2"
  std::string cpu;     ///< QOM type of the first vCPU, e.g. "qemu64-x86_64-cpu"
  std::uint32_t cpus = 0;
  std::uint64_t memory_bytes = 0;
  std::string uuid;
  std::vector<std::string> devices; ///< "id type", sorted

  bool operator==(const machine_facts&) const = default;
  template <class Self, class F>
  static void fields(Self& s, F&& f) {
    f("machine", s.machine), f("cpu", s.cpu), f("cpus", s.cpus);
    f("memory_bytes", s.memory_bytes), f("uuid", s.uuid), f("devices", s.devices);
  }
};

} // namespace drover::wire
