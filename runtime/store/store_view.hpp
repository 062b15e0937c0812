// One node's view of the log: how far it has come. Rule: pure; it never goes back, a later entry is
// never seen before an earlier one, and when an entry is seen depends on the node, its position and
// the lag alone, not on how often somebody looks.
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/store/store_log.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace drover {

class store_view {
public:
  /// Told of every config that moves in this view, and by which entry.
  using moved_function = std::function<void(vm_id vm, log_position at)>;

  /// `seed` is this node's own.
  store_view(std::uint64_t seed, const delay_range& lag) : seed_(seed), lags_{{0, lag}} {}

  log_position at() const { return at_; }

  /// The lag of the entries after `from`.
  void set_lag(const delay_range& lag, log_position from);
  /// Shows what can be seen by now.
  void advance(const store_log& log, log_time now);
  /// Shows everything up to `position`: the node has written after it.
  void catch_up(const store_log& log, log_position position, log_time now);
  /// Nothing after `position` is seen until `let_go`; what was missed is seen in one moment then, a
  /// lag later.
  void hold(log_position position) { held_at_ = position; }
  /// When that moment is.
  log_time let_go(const store_log& log, log_time now);
  /// Goes to the end without showing what was between: this view has become everybody's.
  void adopt(const store_log& log, log_time now);
  /// When the last change of this lock was seen.
  std::optional<log_time> lock_seen(std::uint32_t number) const;

  /// When the entry at `position` will be seen if nothing hastens it; asked once for each entry, in
  /// their order.
  log_time foresee(const store_log& log, log_position position);

  /// When the last entry of the log will be seen if nothing hastens it.
  log_time all_seen(const store_log& log) const;

  moved_function on_moved;

private:
  nanoseconds lag_of(log_position position) const;
  log_time due(const store_log& log, log_position position) const;
  void pass(const store_log& log, log_time when);
  void note_lock(std::uint32_t number, log_time when);

  std::uint64_t seed_;
  std::vector<std::pair<log_position, delay_range>> lags_;
  log_position at_ = 0;
  /// When the last entry was seen: no later one is seen before.
  log_time seen_at_{0};
  log_time foreseen_{0};
  std::optional<log_position> held_at_;
  /// By the lock's number; shorter where the last ones were never seen.
  std::vector<std::optional<log_time>> locks_;
};

} // namespace drover
