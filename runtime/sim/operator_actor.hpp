// The one who gives the orders in a simulated world: surveys, plans, runs evacuations and
// recovers, as the programs do, but without waiting in a thread. Rule: it composes the production
// plan and actors and decides nothing.
#pragma once

#include "actors/actor_tree.hpp"
#include "actors/recovery/recovery_rounds.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/program/planning.hpp"
#include "runtime/program/run_result.hpp"

#include <functional>
#include <memory>

namespace drover {

/// Carries out a departure; `ended` is told on the world's thread.
struct operate {
  departure what;
  std::optional<node_id> cordon;
  std::function<void(run_result)> ended;
};

/// Recovers what controllers that died have left; `ended` is told on the world's thread.
struct recover_all {
  operator_words words;
  std::function<void(recovery_report)> ended;
};

struct recovery_under_way;

/// To itself: the pause before the next look of a recovery is over.
struct look_at_recovery {
  std::shared_ptr<recovery_under_way> what;
};

/// Asks every node for its VMs.
struct look_around {
  std::function<void(survey)> seen;
};

/// Cancels what runs now.
struct cancel_all {
  std::string reason;
};

/// How many permits are held or waited for.
struct look_at_permits {
  std::function<void(lock_usage)> seen;
};

using operator_handle = iface<
  caf::result<void>(operate), caf::result<void>(look_around), caf::result<void>(cancel_all),
  caf::result<void>(look_at_permits), caf::result<void>(recover_all),
  caf::result<void>(look_at_recovery)>;

struct operator_parts {
  cluster_file cluster;
  actor_tree tree;
  surroundings around;
  std::string controller;
};

/// Names the messages of `operator_handle`; before the system is made.
void configure_operator(caf::actor_system_config& config);

operator_handle spawn_operator(caf::actor_system& system, operator_parts parts);

} // namespace drover

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::operate)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::look_around)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::cancel_all)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::look_at_permits)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::recover_all)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(drover::look_at_recovery)

CAF_BEGIN_TYPE_ID_BLOCK(drover_operator, caf::id_block::drover_actors::end)
CAF_ADD_TYPE_ID(drover_operator, (drover::operate))
CAF_ADD_TYPE_ID(drover_operator, (drover::look_around))
CAF_ADD_TYPE_ID(drover_operator, (drover::cancel_all))
CAF_ADD_TYPE_ID(drover_operator, (drover::look_at_permits))
CAF_ADD_TYPE_ID(drover_operator, (drover::recover_all))
CAF_ADD_TYPE_ID(drover_operator, (drover::look_at_recovery))
CAF_END_TYPE_ID_BLOCK(drover_operator)
