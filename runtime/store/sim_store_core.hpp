// What the simulated nodes' stores share: the log, each node's view of it, and what is done to
// them. Rule: it judges a call when its time has come, never before; all of it on the event queue.
#pragma once

#include "runtime/base/event_queue.hpp"
#include "runtime/base/luck.hpp"
#include "runtime/store/sim_store.hpp"
#include "runtime/store/store_log.hpp"
#include "runtime/store/store_replica.hpp"
#include "runtime/store/store_view.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace drover {

/// A node as the store knows it.
struct sim_store_node {
  sim_store_node(node_id name, luck of_node, const delay_range& lag);

  node_id id;
  luck chance;
  store_view view;
  /// Set while the node is cut off: the last entry that reached it.
  std::optional<log_position> cut_at;
  /// Until when it has no quorum, and since when: what was begun before was under way then.
  mono_time quorum_back{};
  mono_time quorum_gone{};
  /// So many of its next writes fail.
  std::uint32_t failing_writes = 0;
};

class sim_store_core : public std::enable_shared_from_this<sim_store_core> {
public:
  /// What a call does when its turn has come.
  template <class T>
  using job = std::function<result<T>(store_replica&, const change_function&)>;

  sim_store_core(
    event_queue& queue, luck chance, const sim_store_settings& settings,
    const std::vector<node_id>& nodes);

  event_queue& queue() { return queue_; }
  const sim_store_settings& settings() const { return settings_; }
  const store_log& log() const { return log_; }
  std::uint64_t writes() const { return writes_; }

  sim_store_node& node(const node_id& id);
  /// The node's replica, with its view of this moment.
  store_replica look(sim_store_node& node);
  log_time now() const { return queue_.now().time_since_epoch(); }

  // -- a call's life ---------------------------------------------------------------------------

  bool has_quorum(const sim_store_node& node) const;
  /// When nothing hangs any more; not later than now when nothing does.
  mono_time hangs_until() const { return hangs_until_; }
  mono_time hangs_since() const { return hangs_since_; }
  /// When the node's view will show everything that stands in the log now.
  mono_time backlog_seen(sim_store_node& node);
  /// The read of `node` now.
  template <class T>
  result<T> read(sim_store_node& node, const job<T>& what) {
    auto replica = look(node);
    return what(replica, {});
  }
  /// The write of `node` that was begun at `begun`, now: carried out, refused, or neither known.
  result<done> write(sim_store_node& node, mono_time begun, const job<done>& what);

  // -- what is done to it ----------------------------------------------------------------------

  void set_lag(const node_id& id, const delay_range& lag);
  void hang(nanoseconds how_long);
  void set_quorum_lost(const node_id& id, nanoseconds how_long);
  void change_membership(nanoseconds how_long, std::uint32_t applied_per_million);
  void cut_off(const node_id& id);
  void heal(const node_id& id, heal_outcome outcome);
  void remove_lock(const std::string& name, const std::string& taken_by);
  void put_config(vm_id vm, const node_id& owner, std::string text);

  /// Told when a view begins to show a moved config; null = nobody is, and empty the same.
  const std::function<void(const view_changed&)>* watcher = nullptr;
  /// Told when calls hang longer than before, in the order of their numbers.
  std::map<std::uint64_t, std::function<void()>> when_hanging;
  std::uint64_t listeners = 0;

private:
  change_function changing(const node_id& author);
  void append(const node_id& author, store_change change);
  void announce();
  bool is_watched() const { return watcher != nullptr && *watcher; }
  result<done> carry_out(sim_store_node& node, const job<done>& what);
  result<done> meet_membership(sim_store_node& node, const job<done>& what);

  event_queue& queue_;
  luck chance_;
  sim_store_settings settings_;
  store_log log_;
  std::uint64_t writes_ = 0;
  std::map<node_id, sim_store_node> nodes_;
  mono_time hangs_since_{};
  mono_time hangs_until_{};
  mono_time membership_settles_{};
  std::uint64_t memberships_ = 0;
  std::uint32_t applied_per_million_ = 0;
};

} // namespace drover
