// The lagging driver's calls, one after the other: one log file in a directory that the processes
// of one machine share, and this node's own, late view of it. Rule: the log alone orders the writes
// and the views lag behind it on purpose, so that what happens between hosts happens between
// processes.
//
//   log.ndjson   one change a line, with the wall time at which it was made
#pragma once

#include "runtime/base/delay.hpp"
#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"
#include "runtime/base/ticket.hpp"
#include "runtime/base/time.hpp"
#include "runtime/store/log_file.hpp"
#include "runtime/store/pmxcfs_errors.hpp"
#include "runtime/store/store.hpp"
#include "runtime/store/store_log.hpp"
#include "runtime/store/store_replica.hpp"
#include "runtime/store/store_view.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace drover {

struct lagging_options {
  std::filesystem::path directory;
  /// The node whose view and whose writes these are.
  node_id node;
  /// How much later than it was written this node sees what others wrote.
  delay_range lag;
  milliseconds lock_expiry{120'000};
};

class lagging_files {
public:
  using options_type = lagging_options;

  /// Makes the last component of the directory where it is missing.
  static result<lagging_files> open(const lagging_options& options);

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

  /// A write is answered when this node has seen all that was ordered before it: who lags pays for
  /// it here, as with a replica that applies one message after the other.
  mono_time answer_at() const { return answer_at_; }

  /// The newest state, whatever any view shows, as the files of a cluster directory: their names
  /// below it and their texts.
  result<std::map<std::string, std::string>> newest_files();

private:
  using write_job = std::function<result<done>(store_replica&, const change_function&)>;

  explicit lagging_files(const lagging_options& options);

  /// Takes in what was appended since.
  result<done> refresh(const file_call& call);
  template <class T>
  result<T> read(const std::string& what, const std::function<result<T>(store_replica&)>& job);
  result<done> write(const std::string& what, const write_job& job);
  result<done> append(const file_call& call, store_change change);
  store_replica replica();

  lagging_options options_;
  log_file file_;
  mono_time answer_at_;  ///< of the last call
  mono_time written_at_; ///< of the last write: no later one is answered before
  std::uint64_t offset_ = 0;
  store_log log_;
  store_view view_;
};

} // namespace drover
