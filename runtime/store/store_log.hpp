// The cluster configuration as one totally ordered log of changes, and reads of it as it was after
// any of them. Rule: pure; a change says what stands there from now on, so the log is folded
// without judging it again, and a node's view is nothing but a position. Who may change what is
// judged in store_replica.
//
//   entries   1      2      3      4      5 = end()
//   VM 100    n1 -----------> n2 ----------------->     a short list of versions per thing
//   lock x           a ------------> none
//   view of n3 at 3: VM 100 on n2, lock x held by a
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/base/time.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace drover {

/// How many changes have been made; 0 is the beginning.
using log_position = std::uint64_t;
/// Since the beginning of the clock of whoever keeps the log.
using log_time = nanoseconds;

using config_text = std::shared_ptr<const std::string>;

/// The VM's config stands on `owner`; without a text it keeps the one it has.
struct config_placed {
  vm_id vm;
  node_id owner;
  config_text text;
};
struct config_removed {
  vm_id vm;
};
struct record_written {
  handover_record record;
};
/// Only when a write is undone.
struct record_removed {
  vm_id vm;
};
/// Taken or renewed, through `node`.
struct lock_taken {
  std::string name;
  std::string holder;
  node_id node;
};
struct lock_removed {
  std::string name;
};
/// A write that changes nothing: a barrier, or a write that lost in order.
struct nothing_changed {};

using store_change = std::variant<
  config_placed, config_removed, record_written, record_removed, lock_taken, lock_removed,
  nothing_changed>;

struct log_entry {
  log_time at{0};
  node_id author;
  store_change change;
};

class store_log {
public:
  struct config_version {
    log_position since = 0;
    std::optional<node_id> owner; ///< nullopt: removed
    config_text text;
  };
  struct record_version {
    log_position since = 0;
    std::optional<handover_record> record;
  };
  struct lock_version {
    log_position since = 0;
    bool held = false;
    std::string holder;
    node_id node;
    log_time at{0};
  };
  /// What is kept of an entry itself.
  struct stamp {
    log_time at{0};
    enum class kind : std::uint8_t { none, config, moved, record, lock } what = kind::none;
    /// The VM's number, or the lock's in `lock_name`.
    std::uint32_t which = 0;
  };

  log_position append(const log_entry& entry);
  /// A config that has always been there; only for a VM of which the log knows nothing.
  void put_first(vm_id vm, const node_id& owner, std::string text);

  log_position end() const { return stamps_.size(); }
  /// Of the entry that made the log `position` long; from 1 to end().
  const stamp& entry(log_position position) const { return stamps_[position - 1]; }
  /// The last entry of this author; 0 when there is none.
  log_position last_of(const node_id& author) const;

  // As of a position; null where there was nothing.
  const config_version* config(vm_id vm, log_position seen) const;
  const handover_record* record(vm_id vm, log_position seen) const;
  const lock_version* lock(const std::string& name, log_position seen) const;
  std::optional<node_id> owner(vm_id vm, log_position seen) const;
  std::map<vm_id, node_id> places(log_position seen) const;
  std::map<vm_id, handover_record> records(log_position seen) const;
  std::map<std::string, lock_version> locks(const std::string& prefix, log_position seen) const;

  /// The number of a lock in its stamps; nullopt for one that was never taken.
  std::optional<std::uint32_t> lock_number(const std::string& name) const;

  /// The changes after which everything stands as it did at `since`.
  std::vector<store_change> undo(log_position since) const;

private:
  template <class Version>
  using history = std::vector<Version>;
  struct lock_history {
    std::uint32_t number = 0;
    history<lock_version> versions;
  };

  template <class Version>
  static const Version* version_at(const history<Version>& versions, log_position seen) {
    // Nearly everybody looks from near the end.
    if (!versions.empty() && versions.back().since <= seen)
      return &versions.back();
    const auto after = std::upper_bound(
      versions.begin(), versions.end(), seen,
      [](log_position position, const Version& version) { return position < version.since; });
    return after == versions.begin() ? nullptr : &*std::prev(after);
  }

  void move_places_to(log_position seen) const;
  stamp note(const config_placed& change);
  stamp note(const config_removed& change);
  stamp note(const record_written& change);
  stamp note(const record_removed& change);
  stamp note(const lock_taken& change, log_time at);
  stamp note(const lock_removed& change, log_time at);
  stamp note_lock(const std::string& name, lock_version version);

  std::vector<stamp> stamps_;
  std::map<node_id, log_position> last_of_;
  std::map<vm_id, history<config_version>> configs_;
  std::map<vm_id, history<record_version>> records_;
  std::map<std::string, lock_history> locks_;
  std::vector<std::string> lock_names_;
  /// All places as of a position: whoever asks next asks for one nearby.
  mutable std::map<vm_id, node_id> places_;
  mutable log_position places_at_ = 0;
};

} // namespace drover
