// The store's calls as one node makes them on the log: reads of its view, and writes that are
// looked at twice, as a pmxcfs does: first by the node's own view, which may refuse what has long
// become possible; then in the order of all writes, where one of several wins. Rule: pure; a write
// that was ordered has shown the node everything before it, also when it lost.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/store/store.hpp"
#include "runtime/store/store_log.hpp"
#include "runtime/store/store_view.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover {

/// Makes the change the newest entry of the log.
using change_function = std::function<result<done>(store_change)>;

/// Lives for one call: how far the view has come is the caller's affair.
class store_replica {
public:
  struct place {
    const store_log& log;
    store_view& view;
    const node_id& node;
    nanoseconds lock_expiry;
    /// How many memberships there were before this one.
    std::uint64_t memberships = 0;
  };

  store_replica(const place& where, log_time now) : at_(where), now_(now) {}

  std::map<vm_id, node_id> read_places() const { return at_.log.places(at_.view.at()); }
  std::optional<node_id> read_owner(vm_id vm) const { return at_.log.owner(vm, at_.view.at()); }
  result<std::string> read_config(vm_id vm, const node_id& node) const;
  std::optional<handover_record> read_record(vm_id vm) const;
  std::map<vm_id, handover_record> read_records() const { return at_.log.records(at_.view.at()); }
  std::vector<store_lock> read_locks(const std::string& prefix) const;
  std::string read_membership() const { return std::to_string(at_.memberships); }

  result<done> create_config(
    vm_id vm, const node_id& node, std::string text, const change_function& change);
  result<done> write_config(
    vm_id vm, const node_id& node, const config_edit& edit, const change_function& change);
  result<done> remove_config(vm_id vm, const node_id& node, const change_function& change);
  result<done> move_config(
    vm_id vm, const node_id& from, const node_id& to, const change_function& change);
  result<done> write_record(const handover_record& record, const change_function& change);
  result<done> barrier(const change_function& change);
  result<done> take_lock(
    const std::string& name, const std::string& holder, const change_function& change);
  result<done> drop_lock(
    const std::string& name, const std::string& holder, const change_function& change);

private:
  tl::unexpected<error> refuse(errc code, const std::string& what, const std::string& why) const;
  /// The write came too late, but it was ordered.
  result<done> lose(const std::string& what, const std::string& why, const change_function& change);
  result<done> order(store_change made, const change_function& change);
  void see_all() { at_.view.catch_up(at_.log, at_.log.end(), now_); }
  bool has_expired(const std::string& lock) const;
  /// Whose config it is by this node's view, and by the order of all writes.
  bool shows(vm_id vm, const node_id& node) const { return read_owner(vm) == node; }
  bool stands(vm_id vm, const node_id& node) const {
    return at_.log.owner(vm, at_.log.end()) == node;
  }

  place at_;
  log_time now_;
};

} // namespace drover
