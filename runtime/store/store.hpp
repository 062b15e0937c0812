// Port: one node's access to the replicated cluster configuration.
//
// What every driver promises, and no caller may assume more:
// - writes are totally ordered; a write is answered when the *local* replica has applied it, other
//   nodes see it later; a node's own write implies that it has seen all earlier ones (`barrier`);
// - the writes of one node take effect in the order of its calls, so a barrier that is answered
//   says that none of its earlier ones is still to come, but for those with an unknown error;
// - reads show this node's view, which may lag; they are answered by opening, never by stat;
// - a VMID has its config in one node's directory only; `move` is atomic and compares and swaps on
//   the place;
// - any call can hang for many seconds while the membership changes: answers come by callback on
//   the loop's thread, never inside the call, in any order; nothing in a pause waits for one;
// - an error does not mean "not done" (`is_unknown`, and `conflict` after a lost answer): read the
//   place again and act on what is there.
// Errors: `refused` no quorum or read-only; `conflict` somebody else was first; `timeout` the call
// hangs (it may still be applied); `invalid` what is there cannot be parsed (names the file).
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/ticket.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace drover {

template <class T>
using callback = std::function<void(result<T>)>;

/// A named cluster lock and who holds it; the holder is empty when nobody's name is written down.
struct store_lock {
  std::string name;
  std::string holder;
  bool operator==(const store_lock&) const = default;
};

/// A config's new text, and the one that it was made from.
struct config_edit {
  std::string before;
  std::string after;
};

class store {
public:
  virtual ~store() = default;

  /// Which node's directory holds which VM's config, in this node's view.
  virtual void read_places(callback<std::map<vm_id, node_id>> answer) = 0;
  /// The node whose directory holds `vm`; nullopt when none does.
  virtual void read_owner(vm_id vm, callback<std::optional<node_id>> answer) = 0;
  /// The config's text; `conflict` when `node` does not hold it.
  virtual void read_config(vm_id vm, const node_id& node, callback<std::string> answer) = 0;
  /// A new VM; `conflict` when any node holds a config of that number.
  virtual void create_config(
    vm_id vm, const node_id& node, std::string text, callback<done> answer) = 0;
  /// Replaces the text in one step; `conflict` when `node` does not hold it, or it does not say
  /// `before` any more: what others change is not overwritten. `retry` while one of Proxmox's own
  /// tools works on the VM.
  virtual void write_config(
    vm_id vm, const node_id& node, config_edit edit, callback<done> answer) = 0;
  virtual void remove_config(vm_id vm, const node_id& node, callback<done> answer) = 0;
  /// Moves the config from one node's directory to another's; `conflict` when `from` does not hold
  /// it or `to` already does. The order of the arguments is the direction of the move.
  virtual void move_config(
    vm_id vm, const node_id& from, const node_id& to, callback<done> answer) = 0;

  /// The handover record; nullopt when the VM was never handed over.
  virtual void read_record(vm_id vm, callback<std::optional<handover_record>> answer) = 0;
  virtual void read_records(callback<std::map<vm_id, handover_record>> answer) = 0;
  /// Replaces the record; `conflict` when the one that is there has a higher epoch, or the same
  /// one for another source or target (two handovers were begun at once, and the other was first).
  virtual void write_record(handover_record record, callback<done> answer) = 0;

  /// An ordered write of this node's own file: when it is answered, this node has seen every write
  /// that was answered anywhere before this call, and it had quorum.
  virtual void barrier(callback<done> answer) = 0;

  /// `read_owner` and `read_record` as one question; the error of either is the answer. A driver
  /// that makes one call after the other makes these in one turn.
  virtual void read_view(vm_id vm, callback<vm_view> answer);
  /// The same behind a `barrier`; the barrier's error is the answer when it is not passed.
  virtual void read_view_behind_barrier(vm_id vm, callback<vm_view> answer);

  /// Takes or renews the lock; `conflict` names the holder. A lock not renewed for 120 s expires.
  virtual void take_lock(
    const std::string& name, const std::string& holder, callback<done> answer) = 0;
  /// Gives it back; `conflict` when `holder` does not hold it.
  virtual void drop_lock(
    const std::string& name, const std::string& holder, callback<done> answer) = 0;
  /// The locks whose name begins with `prefix` and that have not expired, by name.
  virtual void read_locks(const std::string& prefix, callback<std::vector<store_lock>> answer) = 0;

  /// A text that differs from one membership of the cluster to the next, as this node knows them: a
  /// partition that heals may take back what was acknowledged, and this is how it is noticed.
  /// Empty where nothing that was acknowledged is ever taken back.
  virtual void read_membership(callback<std::string> answer) = 0;
};

/// The view of two answers; the error of either.
result<vm_view> joined(
  result<std::optional<node_id>> owner, result<std::optional<handover_record>> record);

} // namespace drover
