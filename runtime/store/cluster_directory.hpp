// Where things lie in a cluster directory, and how a file is written there. Rule: the layout is
// Proxmox's; drover's own files are under `drover/`.
//
//   nodes/<node>/qemu-server/<vmid>.conf   the place of a config is the VM's owner
//   priv/lock/<name>/                      a lock that is held; made and removed, never renamed
//   .members                               a pmxcfs only: its membership
//   drover/vm/<vmid>.json                  handover records
//   drover/locks/<name>.json               who holds the lock (a pmxcfs keeps no files in a lock)
//   drover/barrier/<node>                  touched to have seen all earlier writes
//   drover/guard                           plain directories only: serialises the writers
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/store/file_calls.hpp"
#include "runtime/store/pmxcfs_errors.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace drover {

class cluster_directory {
public:
  using path = std::filesystem::path;

  /// Finds out what kind of directory it is unless `kind` says so; makes the last component of a
  /// plain one that is missing.
  static result<cluster_directory> open(const path& root, std::optional<directory_kind> kind);

  directory_kind kind() const { return kind_; }

  /// Whose unfinished files are whose: a process number says nothing to another host.
  void set_writer(const node_id& node) { writer_ = node.value + "."; }
  /// Removes what processes of this writer that have died were about to rename, in these
  /// directories. Precondition: writes are allowed.
  void remove_unfinished(const std::vector<path>& directories) const;

  path nodes() const { return root_ / "nodes"; }
  /// `type` is qemu-server, or one of Proxmox's others that share the numbers.
  path configs(const node_id& node, const char* type = "qemu-server") const;
  path config(vm_id vm, const node_id& node, const char* type = "qemu-server") const;
  path records() const { return root_ / "drover" / "vm"; }
  path record(vm_id vm) const;
  path locks() const { return root_ / "priv" / "lock"; }
  path lock(const std::string& name) const { return locks() / name; }
  path holders() const { return root_ / "drover" / "locks"; }
  path holder(const std::string& name) const;
  /// Who is in the cluster, and in which change of it: a pmxcfs makes it anew each second.
  path members() const { return root_ / ".members"; }
  path barrier(const node_id& node) const { return root_ / "drover" / "barrier" / node.value; }
  path guard() const { return root_ / "drover" / "guard"; }

  /// Makes the directories between the root and the file that are missing.
  file_calls::status make_parents(const path& file) const;
  /// Writes the text under a name of its own beside `file`, to be renamed; missing directories are
  /// made.
  file_calls::outcome<path> write_beside(
    const path& file, const std::string& text,
    file_calls::durability wanted = file_calls::durability::synced) const;
  /// Writes beside, then renames over `file` in one step; for what need not survive a power
  /// failure.
  file_calls::status replace(const path& file, const std::string& text) const;
  /// An ordered write of the node's own file.
  file_calls::status pass_barrier(const node_id& node) const;

private:
  cluster_directory(path root, directory_kind kind, bool was_mounted)
    : root_(std::move(root)), kind_(kind), was_mounted_(was_mounted) {}

  path root_;
  directory_kind kind_;
  bool was_mounted_;
  std::string writer_; ///< with its dot; empty = nobody in particular
};

/// On a plain directory, keeps other writers out while a look and the write that depends on it are
/// one step. A pmxcfs needs none: it checks numbers and places itself, in total order.
class writers_guard {
public:
  explicit writers_guard(const cluster_directory& directory);
  /// 0, or errno; without it the write must not be made.
  file_calls::status failure() const { return failure_; }

private:
  std::optional<file_calls::exclusive_lock> lock_;
  file_calls::status failure_ = 0;
};

} // namespace drover
