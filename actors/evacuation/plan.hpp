// The plan of an evacuation: which VM goes where, which stay and why. Rule: a plan is a value, made
// before anything is touched, printed as it is carried out; the same input gives the same plan. How
// VMs are spread is told in actors/evacuation/README.md.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/policy.hpp"
#include "runtime/base/stream_kind.hpp"
#include "runtime/wire/message.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// A node as the plan sees it.
struct plan_node {
  node_id node;
  std::uint64_t memory_bytes = 0;   ///< in all
  std::uint64_t reserve_bytes = 0;  ///< kept for the host, never planned with
  std::uint64_t used_bytes = 0;     ///< sum of the RAM of the guests that run there
  std::uint64_t incoming_bytes = 0; ///< promised to moves in flight
  std::string cordon;               ///< who holds its cordon; empty = it takes VMs
  std::string encryption_objection; ///< why it cannot encrypt streams; empty = it can
  std::string unreachable;          ///< why its agent does not answer; empty = it does
};

/// In which order the steps are carried out.
enum class plan_order : std::uint8_t {
  /// The long ones first, so that the run does not end with one of them alone.
  largest_first,
  smallest_first,
  by_id,
};

std::string_view to_string(plan_order order);
std::optional<plan_order> plan_order_from_string(std::string_view text);

struct plan_request {
  node_id source;
  std::vector<plan_node> nodes;    ///< all of the cluster, the source among them
  std::vector<wire::vm_entry> vms; ///< what the source's agent listed
  std::set<node_id> targets;       ///< the allowed ones; empty = every other node
  policy how = policy::ticket;
  stream_kind kind = stream_kind::tls;
  std::uint32_t channels = 1; ///< of each stream, where both nodes can
  plan_order order = plan_order::largest_first;
  /// Where an older plan has them go; kept if all of them still fit there, else not looked at.
  std::map<vm_id, node_id> wanted{};
};

struct plan_step {
  vm_id vm;
  std::string name;
  node_id source;
  node_id target;
  std::uint64_t bytes = 0;

  bool operator==(const plan_step&) const = default;
};

enum class stay_kind : std::uint8_t {
  /// Does not run, so maintenance does not disturb it; no failure.
  stopped,
  /// Something about this VM forbids a live migration.
  blocked,
  /// No allowed target has the memory.
  no_room,
  /// Could go, but others have no room and then nothing moves.
  held_back,
};

std::string_view to_string(stay_kind kind);

struct plan_stay {
  vm_id vm;
  std::string name;
  std::uint64_t bytes = 0;
  stay_kind kind = stay_kind::blocked;
  std::string reason; ///< a sentence without its full stop

  bool operator==(const plan_stay&) const = default;
};

/// A node that would have been a target.
struct excluded_node {
  node_id node;
  std::string reason;

  bool operator==(const excluded_node&) const = default;
};

/// Guest memory of a node before and after the plan; moves in flight count as arrived.
struct plan_memory {
  node_id node;
  std::uint64_t memory_bytes = 0;
  std::uint64_t reserve_bytes = 0;
  std::uint64_t before_bytes = 0;
  std::uint64_t after_bytes = 0;

  bool operator==(const plan_memory&) const = default;
};

struct plan {
  node_id source;
  policy how = policy::ticket;
  stream_kind kind = stream_kind::tls;
  std::uint32_t channels = 1; ///< of each stream, where both nodes can
  /// False: the whole set does not fit, and `steps` is empty, so that nothing can be moved.
  bool feasible = true;
  std::vector<plan_step> steps; ///< in the order in which they are carried out
  std::vector<plan_stay> stays; ///< by VM id
  std::vector<excluded_node> excluded;
  std::vector<plan_memory> memory; ///< the source and every node that may be a target, by name

  bool operator==(const plan&) const = default;
};

/// Every VM of the request ends in exactly one of `steps` and `stays`. `invalid`: an unknown node,
/// the source among its targets, a VM listed twice.
/// `refused`: the source cannot encrypt the streams that are to be encrypted.
result<plan> make_plan(const plan_request& request);

/// What carrying out the plan without a mishap exits with: 0 all that run move, 2 some stay, 3
/// infeasible.
int exit_code(const plan& p);

std::uint64_t bytes_to_move(const plan& p);

} // namespace drover
