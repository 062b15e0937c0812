#include "runtime/program/node_claim.hpp"

#include "runtime/journal/run_id.hpp"
#include "runtime/program/run_control.hpp"
#include "runtime/program/state_directory.hpp"

#include <unistd.h>

namespace drover {
namespace {

using namespace std::chrono_literals;

/// Another agent's seat is waited for 3 s; who has it is looked up after this.
constexpr auto claim_deadline = 5s;
/// A login takes a moment, and a store call may hang for 8 s.
constexpr auto claim_patience = 20s;
constexpr auto look_deadline = 12s;
constexpr auto look_again = 50ms;

/// Who has the node, by the eyes of an agent that only looks.
std::string holder_of(const workplace& w, const node_id& node) {
  fleet_settings settings;
  settings.access = fleet_access::observe;
  settings.trace = std::make_shared<trace_fan>();
  settings.opening = link_opening::when_asked;
  const auto nodes = fleet::open(w.cluster, settings);
  if (!nodes)
    return {};
  const auto answer = (*nodes)->call(node, wire::list_vms{}, look_deadline);
  const auto* list = answer ? std::get_if<wire::vm_list>(&*answer) : nullptr;
  return list == nullptr ? std::string{} : list->cordon;
}

} // namespace

std::string claim_reason(wall_time now) { return "evacuation since " + moment_text(now); }

void local_claim::name(const std::string& id) {
  if (held)
    held->sign(to_string(node_lock_text{std::to_string(::getpid()), id}));
}

std::variant<local_claim, int> claim_locally(
  const options& o, const node_id& node, interrupts& signals,
  const std::function<std::optional<int>(const std::string& id)>& follow) {
  const auto state = state_directory(o.state_dir);
  if (!state)
    return local_claim{};
  const auto file = node_lock_file(*state, o.cluster_file, node);
  const auto me = to_string(node_lock_text{std::to_string(::getpid()), {}});
  while (signals.count() == 0) {
    auto taken = process_lock::take(file, me);
    if (taken)
      return local_claim{std::move(*taken)};
    if (taken.error().code != errc::conflict)
      return local_claim{}; // The journal has the same place, and complains.
    const auto holder = node_lock_text_of(taken.error().context);
    if (!holder.id.empty())
      if (const auto code = follow(holder.id))
        return *code;
    signals.wait(look_again);
  }
  return static_cast<int>(outcome_code::cancelled);
}

result<done> claim_in_cluster(workplace& w, const node_id& node, const std::string& reason) {
  const auto until = monotonic_now() + claim_patience;
  for (;;) {
    const auto answer = w.nodes->call(node, wire::cordon{reason}, claim_deadline);
    if (answer)
      return done{};
    const auto& why = answer.error();
    if (const auto holder = holder_of(w, node);
        !holder.empty() && !holder.starts_with(w.nodes->controller() + " "))
      return fail(errc::conflict, node.value + " is held by another controller", holder);
    // Nobody has the lock: whoever has the agent's seat is about to take it, or has just left.
    const bool may_pass = is_unknown(why.code) || why.code == errc::conflict;
    if (!may_pass || monotonic_now() >= until)
      return fail(why.code, node.value + " cannot be locked: " + why.what, why.context);
  }
}

} // namespace drover
