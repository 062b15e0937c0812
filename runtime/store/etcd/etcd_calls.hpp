// The etcd driver's calls, one after the other: reads of the mirror, writes as transactions on
// revisions. Rule: a write is made on the revision of what it was judged by, so that nobody's write
// is lost, and it carries this node's mark, so that a write whose answer was lost recognises
// itself.
//
//   PREFIX/config/VMID   the owner's name, a newline, the config's text
//   PREFIX/record/VMID   the handover record
//   PREFIX/lock/NAME     the holder, for as long as its lease lives
//   PREFIX/node/NAME     the mark of this node's last write; the barrier writes nothing else
//
// A lease may outlive its time (nothing expires without a leader), so a lock keeps others out and
// proves nothing to its holder: what it protects is written on revisions as well.
#pragma once

#include "runtime/base/ids.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/base/time.hpp"
#include "runtime/store/etcd/etcd_client.hpp"
#include "runtime/store/etcd/etcd_watcher.hpp"
#include "runtime/store/etcd/etcd_write.hpp"
#include "runtime/store/store.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace drover {

struct etcd_options {
  etcd::access reached;
  std::string prefix = "/drover";
  /// The node whose view and whose writes these are.
  node_id node;
  milliseconds lock_expiry{120'000};
};

class etcd_calls {
public:
  using options_type = etcd_options;

  /// Asks nobody: a cluster that cannot be reached is the answer to each call until it can.
  static result<etcd_calls> open(const etcd_options& options);

  // The calls of the port, with its contract (store.hpp).
  result<std::map<vm_id, node_id>> read_places();
  result<std::optional<node_id>> read_owner(vm_id vm);
  result<std::string> read_config(vm_id vm, const node_id& node);
  result<done> create_config(vm_id vm, const node_id& node, const std::string& text);
  result<done> write_config(vm_id vm, const node_id& node, const config_edit& edit);
  result<done> remove_config(vm_id vm, const node_id& node);
  result<done> move_config(vm_id vm, const node_id& from, const node_id& to);
  result<std::optional<handover_record>> read_record(vm_id vm);
  result<std::map<vm_id, handover_record>> read_records();
  result<done> write_record(const handover_record& record);
  result<done> barrier();
  result<done> take_lock(const std::string& name, const std::string& holder);
  result<done> drop_lock(const std::string& name, const std::string& holder);
  result<std::vector<store_lock>> read_locks(const std::string& prefix);
  /// Nothing that was acknowledged is taken back here.
  result<std::string> read_membership() const { return std::string{}; }

private:
  using present = etcd::write::present;
  using decision = etcd::write::decision;

  explicit etcd_calls(const etcd_options& options);

  using config_change = std::function<result<etcd::transaction>(const std::string& text)>;
  result<done> change_config(vm_id vm, const node_id& holder, const config_change& change);

  // etcd_commit.cpp: writes on their way.
  result<done> commit(const std::string& key, const decision& decide);
  result<std::optional<std::uint64_t>> attempt(etcd::write& made, const std::string& key);
  result<std::string> ask(const std::string& path, const std::string& body);
  result<etcd::range_answer> read_newest(const std::string& key);
  result<done> read_newest(etcd::write& made, const std::string& key);
  result<done> show(std::uint64_t revision);
  result<done> seen_anything();

  // etcd_locks.cpp
  result<bool> renew(const etcd::key_value& held);
  result<std::uint64_t> grant_lease();
  void revoke_lease(std::uint64_t lease);

  std::string config_key(vm_id vm) const;
  std::string record_key(vm_id vm) const;
  std::string lock_key(const std::string& name) const;

  etcd_options options_;
  std::string node_key_;
  /// Tells this driver's writes from those of another one of the same node.
  std::string instance_;
  std::uint64_t writes_ = 0;
  /// The revision of this node's mark, as far as it is known; it only has to be right to win.
  std::optional<std::uint64_t> mark_revision_;
  /// The last write was given up without an answer that counts.
  bool was_refused_ = false;
  etcd::client client_;
  etcd::watcher watcher_;
};

} // namespace drover
