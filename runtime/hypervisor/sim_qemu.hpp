// What a simulated QEMU and a stream between two of them are. Rule: plain data; only sim_park
// changes it, and everybody else may look.
//
//   QEMU    starting -> running <-> paused          S: running -> finishing -> postmigrate
//           starting -> waiting -> paused (loaded)                          -> running by itself
//   stream  setting_up -> copying -> switching -> loading -> acknowledging -> (closed)
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/time.hpp"
#include "runtime/hypervisor/hypervisor.hpp"
#include "runtime/hypervisor/sim_hypervisor.hpp"
#include "runtime/hypervisor/sim_launch.hpp"
#include "runtime/hypervisor/sim_precopy.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace drover {

enum class sim_role : std::uint8_t { none, source, target };

enum class sim_state : std::uint8_t {
  starting,
  running,
  paused,
  waiting,   ///< a target whose memory is not all there
  finishing, ///< a source in the switchover
  postmigrate,
};

struct sim_qemu {
  node_id node;
  vm_id vm;
  sim_launch launch;
  std::shared_ptr<const wire::machine_facts> facts; ///< once it was asked
  sim_load load;
  sim_state state = sim_state::starting;
  mono_time ready_at; ///< when its start ends
  bool is_gone = false;

  sim_role role = sim_role::none;
  epoch number;
  bool has_run = false;     ///< since it was received
  bool is_loaded = false;   ///< the target's part: the whole stream is in
  bool was_reached = false; ///< the target's part: a stream came in, whatever became of it
  std::uint64_t stream = 0; ///< the one it is in; 0 = none
  /// What `query-migrate` remembers of the stream under `number`.
  std::optional<wire::stream_end> last_end;
  std::string last_reason;
  stream_figures last_figures;
  std::uint32_t downtime_limit_ms = 0;
  std::uint64_t memory = 0; ///< see sim_copy
  wall_time resumed;

  bool is_starting() const { return state == sim_state::starting; }
  bool runs() const { return state == sim_state::running; }
};

using sim_qemu_ptr = std::shared_ptr<sim_qemu>;

/// As the port says it.
wire::run_state state_of(const sim_qemu& qemu);

enum class sim_phase : std::uint8_t {
  setting_up, ///< the connection stands; nothing was sent
  copying,
  switching, ///< the guest is stopped, the rest is on its way
  loading,   ///< the last byte is there
  acknowledging,
  broken, ///< one end is gone and the other one does not know yet
};

/// Whether both ends of a stream have the same key, or none.
enum class sim_handshake : std::uint8_t {
  agreed,
  /// The target wants another key; it goes on waiting.
  turned_away,
  /// The target knows of no encryption, and dies of what it cannot read.
  not_understood,
};

struct sim_stream {
  std::uint64_t id = 0;
  epoch number;
  sim_qemu_ptr source;
  sim_qemu_ptr target;
  sim_phase phase = sim_phase::setting_up;
  sim_handshake handshake = sim_handshake::agreed;
  std::uint64_t bandwidth_most = 0; ///< 0 = unlimited
  sim_precopy copy;
  std::uint64_t speed = 0;
  bool uses_network = false;
  mono_time advanced;
  mono_time next_figures;
  mono_time stalled_until;
  std::uint64_t generation = 0; ///< tells an outdated wake-up apart
  bool has_begun = false;
  bool source_stopped = false;
  bool guest_was_paused = false;
  bool loses_acknowledgement = false;
  bool source_left = false; ///< its end broke while the target loads what it has
  std::uint64_t memory = 0; ///< the source's when it stopped
  std::string mismatch;     ///< why the target will not take the devices; empty = it will
  std::string why_broken;
};

using sim_stream_ptr = std::shared_ptr<sim_stream>;

/// What a QEMU tells the driver that is open at its node.
struct sim_news {
  enum class kind : std::uint8_t { up, stopped, resumed, ended, figures, not_begun, gone };
  kind what = kind::up;
  epoch number;
  wire::stream_end end = wire::stream_end::failed;
  std::string reason;
  wall_time at;
  stream_figures figures;
};

/// The driver's ear. Called on the queue, never inside a call of the driver.
class sim_listener {
public:
  virtual ~sim_listener() = default;
  virtual void take(const sim_qemu_ptr& qemu, const sim_news& news) = 0;
  /// The host is gone and the driver with it: it answers and tells no more.
  virtual void host_died() = 0;
};

} // namespace drover
