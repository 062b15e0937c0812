// Every actor's interface in one place: who may be asked what. Rule: messages are plain structs and
// stay inside the process; what a node is asked is in runtime/wire/message.hpp, what the lock
// manager is asked in actors/locks/lock_protocol.hpp. Who talks to whom is drawn in
// actors/README.md.
#pragma once

#include "actors/caf_compat.hpp"
#include "actors/handover/handover.hpp"
#include "actors/locks/lock_protocol.hpp"
#include "runtime/base/trace.hpp"
#include "runtime/wire/message.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace drover {

/// What every shell needs from the world: where its trace goes and the wall clock for it.
struct surroundings {
  std::shared_ptr<trace_sink> trace;
  std::function<wall_time()> wall_now;
  /// The journal's write-ahead point: calls back, from any thread, when it has it that this VM's
  /// migration begins. Empty where there is no journal.
  std::function<void(vm_id vm, std::function<void()> written)> write_ahead{};

  void note(decltype(trace_event::body) body) const {
    trace->take(trace_event{wall_now(), std::move(body)});
  }
};

// -- migration: one VM's journey -----------------------------------------------------------------

struct begin_migration {};

/// Past the switchover it changes nothing.
struct cancel_migration {
  std::string reason;
};

/// From the source's node_owner, while the VM streams.
struct stream_report {
  wire::stream_progress figures;
};

/// From the migration to itself.
struct migration_timer {
  std::uint32_t generation = 0;
};

/// From the journal.
struct migration_written {};

using migration_handle = iface<
  caf::result<void>(begin_migration), caf::result<void>(cancel_migration),
  caf::result<void>(stream_report), caf::result<void>(migration_timer),
  caf::result<void>(migration_written)>;

// -- node_owner: the only one who speaks to a node -----------------------------------------------

enum class link_opening : std::uint8_t {
  at_once,
  /// With the first question: until then the node's seat is left to others.
  when_asked,
};

/// Asks the node's agent. Answered always: by the agent, or with the reason at the deadline.
struct node_call {
  wire::request_body body;
  milliseconds deadline{0};
};

struct node_answer {
  result<wire::reply_body> body;
  std::optional<clock_estimate> clock{}; ///< of the node; with an answer that holds a moment
  std::uint32_t link = 0;                ///< as in session::answer
};

/// Progress notices of this VM go to `who` until it ends or unfollows.
struct follow_vm {
  vm_id vm;
  migration_handle who;
};

struct unfollow_vm {
  vm_id vm;
};

/// From the link's driver.
struct link_opened {};
struct link_line {
  std::string text;
};
struct link_closed {
  error why;
};

/// From the node_owner to itself: the session asked to be woken.
struct wake_node {
  std::uint32_t generation = 0;
};

/// Closes the link; the node_owner ends when it is closed.
struct leave_node {};

using node_owner_handle = iface<
  caf::result<node_answer>(node_call), caf::result<void>(follow_vm), caf::result<void>(unfollow_vm),
  caf::result<void>(link_opened), caf::result<void>(link_line), caf::result<void>(link_closed),
  caf::result<void>(wake_node), caf::result<void>(leave_node)>;

// -- evacuation: the job that carries out a plan -------------------------------------------------

struct evacuation_order {
  /// Cordoned while the job lasts; nullopt for a single migration.
  std::optional<node_id> cordon;
  /// What the holder of the node's lock says of itself beside its name.
  std::string lock_reason = "evacuation";
  std::vector<migration_order> migrations; ///< in the order in which they ask for permits
};

struct evacuation_report {
  /// Nothing was started, and why.
  std::optional<error> objection;
  std::vector<migration_result> migrations; ///< in the order's order
  bool cancelled = false;
  double duration_s = 0;
};

struct run_evacuation {
  evacuation_order order;
};

/// What waits stays, what streams is cancelled, what is past its switchover goes on.
struct cancel_evacuation {
  std::string reason;
};

/// From the evacuation to itself: the node's lock has to be proven.
struct renew_node_lock {};

/// From a migration, its last message.
struct migration_finished {
  migration_result result;
};

using evacuation_handle = iface<
  caf::result<evacuation_report>(run_evacuation), caf::result<void>(cancel_evacuation),
  caf::result<void>(renew_node_lock), caf::result<void>(migration_finished)>;

// -- pulse: how busy the others are --------------------------------------------------------------

/// From the pulse to itself.
struct feel_pulse {};
struct end_pulse {};

using pulse_handle = iface<caf::result<void>(feel_pulse), caf::result<void>(end_pulse)>;

} // namespace drover

// These travel inside one process only, so they need no serialized form.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::begin_migration)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::cancel_migration)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::stream_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::migration_timer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::migration_written)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::node_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::node_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::follow_vm)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::unfollow_vm)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::link_opened)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::link_line)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::link_closed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::wake_node)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::leave_node)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::run_evacuation)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::evacuation_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::cancel_evacuation)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::renew_node_lock)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::migration_finished)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::feel_pulse)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::end_pulse)

CAF_BEGIN_TYPE_ID_BLOCK(drover_actors, drover::lock_type_ids_end)
CAF_ADD_TYPE_ID(drover_actors, (drover::begin_migration))
CAF_ADD_TYPE_ID(drover_actors, (drover::cancel_migration))
CAF_ADD_TYPE_ID(drover_actors, (drover::stream_report))
CAF_ADD_TYPE_ID(drover_actors, (drover::migration_timer))
CAF_ADD_TYPE_ID(drover_actors, (drover::migration_written))
CAF_ADD_TYPE_ID(drover_actors, (drover::node_call))
CAF_ADD_TYPE_ID(drover_actors, (drover::node_answer))
CAF_ADD_TYPE_ID(drover_actors, (drover::follow_vm))
CAF_ADD_TYPE_ID(drover_actors, (drover::unfollow_vm))
CAF_ADD_TYPE_ID(drover_actors, (drover::link_opened))
CAF_ADD_TYPE_ID(drover_actors, (drover::link_line))
CAF_ADD_TYPE_ID(drover_actors, (drover::link_closed))
CAF_ADD_TYPE_ID(drover_actors, (drover::wake_node))
CAF_ADD_TYPE_ID(drover_actors, (drover::leave_node))
CAF_ADD_TYPE_ID(drover_actors, (drover::run_evacuation))
CAF_ADD_TYPE_ID(drover_actors, (drover::evacuation_report))
CAF_ADD_TYPE_ID(drover_actors, (drover::cancel_evacuation))
CAF_ADD_TYPE_ID(drover_actors, (drover::renew_node_lock))
CAF_ADD_TYPE_ID(drover_actors, (drover::migration_finished))
CAF_ADD_TYPE_ID(drover_actors, (drover::feel_pulse))
CAF_ADD_TYPE_ID(drover_actors, (drover::end_pulse))
CAF_END_TYPE_ID_BLOCK(drover_actors)
