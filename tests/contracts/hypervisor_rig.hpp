// What a driver of the hypervisor port brings to its contract suite: two nodes and a way to let
// time pass. Rule: the suite knows nothing of QEMU; what only a real process has is behind these
// calls.
#pragma once

#include "runtime/hypervisor/hypervisor.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace drover::contracts {

enum class side : std::uint8_t { source, target };

class hypervisor_rig {
public:
  virtual ~hypervisor_rig() = default;

  virtual hypervisor& at(side which) = 0;
  /// A VM's config that starts and moves. Its memory is copied in no time, or, with the bandwidth
  /// of `slow_limits`, in several seconds.
  virtual std::string small_config() = 0;
  virtual std::string large_config() = 0;
  virtual stream_limits slow_limits() = 0;
  /// The same VM with another CPU model.
  virtual std::string other_cpu_config() = 0;
  /// A config that the driver takes and its hypervisor cannot start, and a word of the reason.
  virtual std::string broken_config() = 0;
  virtual std::string broken_word() = 0;

  /// Lets things happen until `reached`; false when they take too long.
  virtual bool run_until(const std::function<bool()>& reached) = 0;
  /// The VM's process dies, from outside.
  virtual void crash(side which, vm_id vm) = 0;
  /// The driver is destroyed and made anew on the same node; `events` hears the new one.
  virtual void restart(side which, hypervisor_events& events) = 0;
  /// Somebody comes to the door with this token; true when the door was closed on him.
  virtual bool is_turned_away(const listening& door, const std::string& token) = 0;
};

/// What one side's driver told.
class event_log : public hypervisor_events {
public:
  struct entry {
    std::string what; ///< stopped, resumed, completed, failed, cancelled, exit
    vm_id vm;
    epoch number;
    std::string reason;
    wall_time at;
  };

  void on_stopped(vm_id vm, wall_time at) override { add({"stopped", vm, {}, {}, at}); }
  void on_resumed(vm_id vm, wall_time at) override { add({"resumed", vm, {}, {}, at}); }
  void on_stream_end(
    vm_id vm, epoch number, wire::stream_end end, const std::string& reason,
    wall_time at) override {
    add({std::string{wire::to_string(end)}, vm, number, reason, at});
  }
  void on_progress(vm_id, epoch, const stream_figures& figures) override {
    progress.push_back(figures);
  }
  void on_exit(vm_id vm, const std::string& reason) override { add({"exit", vm, {}, reason, {}}); }

  bool has(const std::string& what) const { return find(what) != nullptr; }
  const entry* find(const std::string& what) const {
    for (const auto& e : entries)
      if (e.what == what)
        return &e;
    return nullptr;
  }

  std::vector<entry> entries;
  std::vector<stream_figures> progress;

private:
  void add(entry e) { entries.push_back(std::move(e)); }
};

} // namespace drover::contracts
