// The pmxcfs driver's calls, one after the other: configs, records, barrier and locks in a cluster
// directory, a mounted pmxcfs or a plain one. Rule: every call can hang for seconds on a pmxcfs, so
// pmxcfs_store makes them on a thread of its own; not for two threads at once.
//
// Every write is atomic: a file is written beside its place and renamed over it, so that nobody
// reads half of it. A plain directory survives the death of any process; a power failure may undo
// the last moves but tears no file.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/store/cluster_directory.hpp"
#include "runtime/store/pmxcfs_locks.hpp"
#include "runtime/store/store.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drover {

struct pmxcfs_options {
  std::filesystem::path directory;
  /// The node whose view and whose writes these are.
  node_id node;
  /// How long a lock lives that is not renewed; a mounted pmxcfs has its own 120 s.
  milliseconds lock_expiry{120'000};
  /// Found out when absent.
  std::optional<directory_kind> kind;
  /// Where Proxmox's own tools lock a VM of this node while they work on it (flock(2) on
  /// `lock-<vmid>.conf`); where the directory is missing there are none.
  std::filesystem::path tool_locks = "/var/lock/qemu-server";
};

class pmxcfs_files {
public:
  using options_type = pmxcfs_options;

  static result<pmxcfs_files> open(const pmxcfs_options& options);

  directory_kind kind() const { return directory_.kind(); }

  // The calls of the port, with its contract (store.hpp).
  result<std::map<vm_id, node_id>> read_places() const;
  result<std::optional<node_id>> read_owner(vm_id vm) const;
  result<std::string> read_config(vm_id vm, const node_id& node) const;
  result<done> create_config(vm_id vm, const node_id& node, const std::string& text) const;
  result<done> write_config(vm_id vm, const node_id& node, const config_edit& edit) const;
  result<done> remove_config(vm_id vm, const node_id& node) const;
  result<done> move_config(vm_id vm, const node_id& from, const node_id& to) const;
  result<std::optional<handover_record>> read_record(vm_id vm) const;
  result<std::map<vm_id, handover_record>> read_records() const;
  result<done> write_record(const handover_record& record) const;
  result<done> barrier() const;
  result<done> take_lock(const std::string& name, const std::string& holder) {
    return locks_.take(name, holder);
  }
  result<done> drop_lock(const std::string& name, const std::string& holder) {
    return locks_.drop(name, holder);
  }
  result<std::vector<store_lock>> read_locks(const std::string& prefix) {
    return locks_.read(prefix);
  }
  result<std::string> read_membership() const;

private:
  using places = std::map<vm_id, std::set<node_id>>;

  pmxcfs_files(cluster_directory directory, const pmxcfs_options& options);

  file_call begin(file_access access, std::string what) const;
  file_calls::outcome<std::vector<node_id>> node_names() const;
  file_calls::outcome<places> scan() const;
  result<done> create_replicated(
    const file_call& call, const cluster_directory::path& file, const std::string& text) const;
  result<done> create_plain(
    const file_call& call, const cluster_directory::path& file, const std::string& text,
    vm_id vm) const;
  result<done> refuse_two_places(const file_call& call, vm_id vm) const;
  result<done> refuse_used_number(const file_call& call, vm_id vm) const;
  file_calls::status rename_into(
    const cluster_directory::path& from, const cluster_directory::path& to) const;

  result<done> replace_config(
    const file_call& call, const cluster_directory::path& file, const node_id& node,
    const config_edit& edit) const;

  cluster_directory directory_;
  node_id node_;
  std::filesystem::path tool_locks_;
  pmxcfs_locks locks_;
  mutable bool has_swept_ = false;
};

} // namespace drover
