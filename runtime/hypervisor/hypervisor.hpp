// Port: the running VMs of one node.
//
// What every driver promises:
// - answers come by callback on the loop's thread, never inside the call; every call ends within
// its
//   own stated time, with `timeout` when QEMU does not answer;
// - the end of a migration comes as an event (hypervisor_events), nothing polls for it;
// - a QEMU outlives the driver: a new driver finds it again in the run directory (`attach`) and
//   reports what it missed as the present state;
// - a receiving QEMU is single-use and never continues by itself (`-S`); after `completed` was
//   reported on both sides the source never continues by itself either (return-path is on).
// The sockets, the run directory and the states are drawn in runtime/hypervisor/README.md.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/stream_kind.hpp"
#include "runtime/base/time.hpp"
#include "runtime/store/store.hpp"
#include "runtime/wire/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace drover {

/// One QEMU of this node.
struct machine_status {
  vm_id vm;
  wire::run_state state = wire::run_state::absent;
  /// The epoch of the handover it was started for or streams under; 0 = none.
  epoch number;
  bool operator==(const machine_status&) const = default;
};

struct stream_limits {
  std::uint64_t bandwidth_bytes_per_s = 0; ///< 0 = unlimited
  std::uint32_t downtime_limit_ms = 0;     ///< 0 = the driver's default, 100 ms
};

struct stream_figures {
  std::uint64_t transferred_bytes = 0;
  std::uint64_t remaining_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint32_t passes = 0;
  std::uint32_t expected_downtime_ms = 0;
};

/// How a stream comes; both ends have to be told the same.
struct stream_form {
  // Not explicit: nearly every stream has the usual single channel.
  stream_form(stream_kind how, std::uint32_t many = 1) : kind(how), channels(many) {}
  stream_kind kind;
  std::uint32_t channels;
};

/// Where a receiving QEMU's agent listens, and the secrets of the one stream that it waits for.
struct listening {
  std::string host;
  std::uint16_t port = 0;
  std::string token;
  /// The pre-shared key in hexadecimal digits, valid for this VM and this epoch only; empty = the
  /// stream comes in the clear.
  std::string key{};
  /// More than one: the stream has so many connections beside the main one, and the token is good
  /// for all of them, the main one first.
  std::uint32_t channels = 1;
};

/// How a running VM differs from others that matter for a move; from the config it was started
/// with.
struct machine_budget {
  std::uint32_t downtime_limit_ms = 0;
  std::uint64_t bandwidth_bytes_per_s = 0;
};

/// What happens on its own. Called on the loop's thread, never inside a call of the driver.
class hypervisor_events {
public:
  virtual ~hypervisor_events() = default;
  /// The vCPUs of a source stopped for the switchover.
  virtual void on_stopped(vm_id vm, wall_time at) = 0;
  /// The vCPUs run (after take_over, continue, or a source that resumed by itself).
  virtual void on_resumed(vm_id vm, wall_time at) = 0;
  /// A final state of a stream; for a target, `failed` also when its process is gone.
  virtual void on_stream_end(
    vm_id vm, epoch number, wire::stream_end end, const std::string& reason, wall_time at) = 0;
  virtual void on_progress(vm_id vm, epoch number, const stream_figures& figures) = 0;
  /// The process is gone.
  virtual void on_exit(vm_id vm, const std::string& reason) = 0;
};

class hypervisor {
public:
  virtual ~hypervisor() = default;

  /// Who hears the events; once, before anything else.
  virtual void listen(hypervisor_events* events) = 0;
  /// Finds the QEMUs that already run here; answered when each was asked for its state.
  virtual void attach(callback<std::vector<machine_status>> answer) = 0;
  /// "QEMU 7.2.22": for people.
  virtual std::string version() const = 0;
  /// Why the QEMUs of this node cannot encrypt a stream, without its full stop; empty = they can.
  virtual std::string encryption_objection() const { return {}; }

  virtual std::vector<machine_status> list() const = 0;
  /// Keys and sockets of streams whose QEMU is gone, by their name in the run directory.
  virtual std::vector<std::string> litter() const { return {}; }
  /// Removes them.
  virtual void sweep() {}
  virtual std::optional<machine_status> find(vm_id vm) const = 0;

  /// Why a config cannot be started or received here, each a sentence; empty = it can.
  virtual std::vector<std::string> blockers(const std::string& config) const = 0;
  /// Starts a QEMU from a config and lets it run; `conflict` when one is there already.
  virtual void start(vm_id vm, const std::string& config, callback<machine_status> answer) = 0;
  /// The config as the running QEMU was started with (later edits wait for the next start).
  virtual result<std::string> started_config(vm_id vm) const = 0;
  virtual void facts(vm_id vm, callback<wire::machine_facts> answer) = 0;
  /// What `facts` answers of a QEMU that this driver has started, as far as its command line alone
  /// decides it; nullopt: it has to be asked.
  virtual std::optional<wire::machine_facts> planned_facts(vm_id) const { return std::nullopt; }
  /// Ends the process: first by `quit`, after 10 s by SIGKILL. Answered when it is gone; a QEMU
  /// that is not there is a success.
  virtual void quit(vm_id vm, callback<done> answer) = 0;
  /// Ends the process at once (SIGKILL). Answered when it is gone.
  virtual void kill(vm_id vm, callback<done> answer) = 0;

  /// Target: starts a QEMU that waits for a stream under `number`. Asked again under the same
  /// number, it answers for the QEMU that is there.
  virtual void receive(
    vm_id vm, epoch number, const std::string& config, callback<machine_status> answer) = 0;
  /// How many channels a stream of this running QEMU may have; 1 = it can do one stream only.
  virtual std::uint32_t channels_max(vm_id vm) const = 0;
  /// Target: opens the one-time door for the stream of a receiving QEMU. The connections that bring
  /// the token get in, no more than the stream has; strangers are closed. It stays open as long as
  /// that QEMU waits, since the stream may wait long for its turn; asked again, the old door
  /// closes. A new key is made for every door of an encrypted stream; `refused` where this QEMU
  /// cannot encrypt, or cannot do so many channels.
  virtual void open_door(
    vm_id vm, epoch number, const stream_form& form, callback<listening> answer) = 0;
  /// Source: connects to the door, hands the connection to QEMU and starts the stream. Answered
  /// when QEMU has begun; asked again under the same number while it streams or has ended: success.
  /// `retry` and `refused`: nothing was streamed, and the stream has ended as failed right after
  /// that answer; asked again, it begins anew. What fails once the connection stands, a wrong key
  /// say, is the stream's end too, and the VM runs on.
  virtual void stream(
    vm_id vm, epoch number, const listening& door, const stream_limits& limits,
    callback<done> answer) = 0;
  virtual void set_downtime_limit(vm_id vm, std::uint32_t limit_ms, callback<done> answer) = 0;
  /// Source: of a stream under way; 0 = unlimited. The switchover goes as fast as it can.
  virtual void set_bandwidth(vm_id vm, std::uint64_t bytes_per_s, callback<done> answer) = 0;
  /// Source, before the switchover only: `refused` when the vCPUs have stopped already.
  virtual void cancel_stream(vm_id vm, epoch number, callback<done> answer) = 0;
  /// The final state of the stream under `number`, when it has one (also after `attach`).
  virtual std::optional<wire::outcome> stream_outcome(vm_id vm, epoch number) const = 0;

  /// Lets a paused QEMU run (`cont`). Answered with RESUME's time. Success at once when it runs.
  virtual void resume(vm_id vm, callback<wall_time> answer) = 0;
};

} // namespace drover
