#include "runtime/store/sim_store_core.hpp"

#include <algorithm>
#include <utility>

namespace drover {

sim_store_node::sim_store_node(node_id name, luck of_node, const delay_range& lag)
  : id(std::move(name)), chance(of_node.fork("calls")), view(of_node.fork("view").next(), lag) {}

sim_store_core::sim_store_core(
  event_queue& queue, luck chance, const sim_store_settings& settings,
  const std::vector<node_id>& nodes)
  : queue_(queue), chance_(chance), settings_(settings) {
  for (const auto& id : nodes)
    node(id);
}

sim_store_node& sim_store_core::node(const node_id& id) {
  const auto found = nodes_.find(id);
  if (found != nodes_.end())
    return found->second;
  auto& made = nodes_.try_emplace(id, id, chance_.fork(id.value), settings_.lag).first->second;
  made.view.on_moved = [this, &made](vm_id vm, log_position at) {
    if (is_watched())
      (*watcher)({made.id, vm, *log_.owner(vm, at)});
  };
  return made;
}

store_replica sim_store_core::look(sim_store_node& node) {
  node.view.advance(log_, now());
  return store_replica({log_, node.view, node.id, settings_.lock_expiry, memberships_}, now());
}

// -- a write's turn ------------------------------------------------------------------------------

bool sim_store_core::has_quorum(const sim_store_node& node) const {
  return !node.cut_at && node.quorum_back <= queue_.now();
}

mono_time sim_store_core::backlog_seen(sim_store_node& node) {
  node.view.advance(log_, now());
  return mono_time{node.view.all_seen(log_)};
}

result<done> sim_store_core::write(sim_store_node& node, mono_time begun, const job<done>& what) {
  if (!has_quorum(node)) {
    // Refused at once; but what was under way when the quorum went is answered without a word about
    // what became of it.
    if (begun < node.quorum_gone)
      return fail(errc::lost, "the quorum went while it was written", node.id.value);
    return fail(errc::refused, "the cluster has no quorum here", node.id.value);
  }
  if (queue_.now() < membership_settles_)
    return meet_membership(node, what);
  if (node.failing_writes > 0) {
    --node.failing_writes;
    return fail(errc::retry, "no space left on the device", node.id.value);
  }
  return carry_out(node, what);
}

result<done> sim_store_core::carry_out(sim_store_node& node, const job<done>& what) {
  auto replica = look(node);
  return what(replica, changing(node.id));
}

result<done> sim_store_core::meet_membership(sim_store_node& node, const job<done>& what) {
  if (node.chance.chance(applied_per_million_)) {
    // Delivered at some time until the membership stands, and judged then.
    const auto rest = static_cast<std::uint64_t>((membership_settles_ - queue_.now()).count());
    const nanoseconds later{static_cast<std::int64_t>(node.chance.below(rest + 1))};
    queue_.after(later, [self = shared_from_this(), &node, what] {
      if (self->has_quorum(node))
        (void)self->carry_out(node, what);
    });
  }
  const auto code = node.chance.below(2) == 0 ? errc::lost : errc::timeout;
  return fail(code, "the membership changes", node.id.value);
}

change_function sim_store_core::changing(const node_id& author) {
  return [this, &author](store_change change) -> result<done> {
    ++writes_;
    // What changes nothing needs no place in the log; its order is the order of these calls.
    if (!std::holds_alternative<nothing_changed>(change))
      append(author, std::move(change));
    return done{};
  };
}

void sim_store_core::append(const node_id& author, store_change change) {
  log_.append({now(), author, std::move(change)});
  announce();
}

// -- who is told of views ------------------------------------------------------------------------

/// A view comes forward when somebody looks; where somebody watches, looks at the right moments are
/// arranged. They are no events of the world: the same happens when nobody watches.
void sim_store_core::announce() {
  if (!is_watched())
    return;
  const auto position = log_.end();
  const bool moved = log_.entry(position).what == store_log::stamp::kind::moved;
  for (auto& [id, node] : nodes_) {
    const auto when = node.view.foresee(log_, position);
    if (moved && !node.cut_at)
      queue_.watch(when - now(), [self = shared_from_this(), &watched = node] {
        watched.view.advance(self->log_, self->now());
      });
  }
}

// -- what is done to it --------------------------------------------------------------------------

void sim_store_core::set_lag(const node_id& id, const delay_range& lag) {
  node(id).view.set_lag(lag, log_.end());
}

void sim_store_core::hang(nanoseconds how_long) {
  const auto now = queue_.now();
  if (hangs_until_ <= now)
    hangs_since_ = now;
  hangs_until_ = std::max(hangs_until_, now + how_long);
  const auto told = when_hanging;
  for (const auto& [id, listener] : told)
    listener();
}

void sim_store_core::set_quorum_lost(const node_id& id, nanoseconds how_long) {
  auto& of = node(id);
  if (has_quorum(of))
    of.quorum_gone = queue_.now();
  of.quorum_back = std::max(of.quorum_back, queue_.now() + how_long);
}

void sim_store_core::change_membership(nanoseconds how_long, std::uint32_t applied_per_million) {
  ++memberships_;
  membership_settles_ = std::max(membership_settles_, queue_.now() + how_long);
  applied_per_million_ = applied_per_million;
}

void sim_store_core::cut_off(const node_id& id) {
  auto& of = node(id);
  if (of.cut_at)
    return;
  if (has_quorum(of))
    of.quorum_gone = queue_.now();
  ++memberships_;
  of.cut_at = log_.end();
  of.view.hold(log_.end());
}

void sim_store_core::heal(const node_id& id, heal_outcome outcome) {
  auto& of = node(id);
  if (!of.cut_at)
    return;
  const auto since = *std::exchange(of.cut_at, std::nullopt);
  ++memberships_;
  if (outcome == heal_outcome::rolled_back) {
    for (auto& change : log_.undo(since))
      append(id, std::move(change));
    of.view.adopt(log_, now());
    return;
  }
  const auto when = of.view.let_go(log_, now());
  queue_.after(
    when - now(), [self = shared_from_this(), &of] { of.view.advance(self->log_, self->now()); });
}

void sim_store_core::remove_lock(const std::string& name, const std::string& taken_by) {
  if (log_.lock(name, log_.end()) == nullptr)
    return;
  ++writes_;
  append(node_id{}, lock_removed{name});
  if (!taken_by.empty())
    append(node_id{}, lock_taken{name, taken_by, node_id{}});
}

void sim_store_core::put_config(vm_id vm, const node_id& owner, std::string text) {
  log_.put_first(vm, owner, std::move(text));
}

} // namespace drover
