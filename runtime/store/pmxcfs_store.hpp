// The store port on a cluster directory: pmxcfs_files behind a queue, because any of its calls can
// hang for seconds. Rule: nothing here runs on the caller's thread but the answers.
#pragma once

#include "runtime/base/trace.hpp"
#include "runtime/store/call_queue.hpp"
#include "runtime/store/pmxcfs_files.hpp"
#include "runtime/store/store.hpp"

#include <functional>
#include <memory>
#include <string>

namespace drover {

/// Learns of every call when it is answered, on the loop's thread, before its callback.
using store_observer = std::function<void(const store_operation&)>;

class pmxcfs_store final : public store {
public:
  /// Makes no file call: a directory that cannot be used is the answer to each call until it can.
  /// A call that is not answered within `call_deadline` is answered `timeout`.
  pmxcfs_store(
    pmxcfs_options options, milliseconds call_deadline, post_function post,
    store_observer observe = {});

  void read_places(callback<std::map<vm_id, node_id>> answer) override;
  void read_owner(vm_id vm, callback<std::optional<node_id>> answer) override;
  void read_config(vm_id vm, const node_id& node, callback<std::string> answer) override;
  void create_config(
    vm_id vm, const node_id& node, std::string text, callback<done> answer) override;
  void write_config(
    vm_id vm, const node_id& node, std::string text, callback<done> answer) override;
  void remove_config(vm_id vm, const node_id& node, callback<done> answer) override;
  void move_config(
    vm_id vm, const node_id& from, const node_id& to, callback<done> answer) override;
  void read_record(vm_id vm, callback<std::optional<handover_record>> answer) override;
  void read_records(callback<std::map<vm_id, handover_record>> answer) override;
  void write_record(handover_record record, callback<done> answer) override;
  void barrier(callback<done> answer) override;
  void take_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override;
  void drop_lock(
    const std::string& name, const std::string& holder, callback<done> answer) override;
  void read_locks(const std::string& prefix, callback<std::vector<store_lock>> answer) override;

private:
  /// Belongs to the worker's thread; lives on when that thread hangs.
  struct worker_state {
    pmxcfs_options options;
    std::optional<pmxcfs_files> files;
    result<pmxcfs_files*> open();
  };

  template <class T>
  void submit(
    std::string operation, vm_id vm, std::function<result<T>(pmxcfs_files&)> job,
    callback<T> answer);

  node_id node_;
  milliseconds call_deadline_;
  store_observer observe_;
  std::shared_ptr<worker_state> state_;
  call_queue queue_;
};

} // namespace drover
